// What jobs may contain: each would do something if it were more than text.

export const hostile = [
  "<img src=x onerror=ran=1>",
  "\"><script>ran=1</script>",
  "'-alert(1)-'`${ran=1}`",
  "javascript:ran=1",
  "</pre></main><h1>gone</h1><style>*{display:none}</style>",
  "{{constructor.constructor('ran=1')()}}",
  "&lt;b&gt; & \u0000 \u0001 \u001b[31m \u0007 \u007f \u0085",
  "\u202e\u2066evil\u2069\u200f\u061c \u200b\ufeff",
  "a\r\nevent: reset\r\ndata: {}\r\n\r\n",
  "__proto__",
  "\u{1F469}\u200D\u{1F52C} z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307",
  "x".repeat(200),
  "\ud800".toWellFormed?.() ?? "\ufffd",
];

/** Nearly 1 MiB, without a place to break. */
export const huge = "<b>".repeat(345_000);
