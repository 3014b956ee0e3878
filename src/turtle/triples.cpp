#include "turtle/triples.hpp"

#include "base/one_line.hpp"
#include "base/utf8.hpp"
#include "turtle/vocabulary.hpp"

#include <serd/serd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>

namespace lifeguard::detail {
namespace {

/// serd calls itself for each bracket that is open. There is no use for any in options.
constexpr std::ptrdiff_t brackets_max = 1000;

constexpr std::size_t mistakes_max = 1000;

/// A subject stands once in the text and in many triples: both limits together bound the memory.
constexpr std::size_t triples_max = 100'000;
constexpr std::size_t iri_bytes_max = 1000;

const std::uint8_t* bytes(const char* text) {
    return reinterpret_cast<const std::uint8_t*>(text); // NOLINT: serd's strings are unsigned
}

std::string text_of(const SerdNode& node) {
    return {reinterpret_cast<const char*>(node.buf), node.n_bytes}; // NOLINT: the same
}

/// Where a text stops being UTF-8; its size when it is all UTF-8.
std::size_t odd_byte(std::string_view text) {
    std::size_t at = 0;
    while (const std::size_t length = utf8_length(text.substr(at)))
        at += length;
    return at;
}

/// A node that serd has made for us.
class owned_node {
  public:
    explicit owned_node(SerdNode node) noexcept : node_(node) {}
    ~owned_node() { serd_node_free(&node_); }
    owned_node(const owned_node&) = delete;
    owned_node& operator=(const owned_node&) = delete;
    const SerdNode& operator*() const noexcept { return node_; }

  private:
    SerdNode node_;
};

/// What serd's callbacks work on.
class turtle_parser {
  public:
    explicit turtle_parser(std::string_view text)
        : text_(text), env_(serd_env_new(nullptr), serd_env_free) {
        for (const auto& [prefix, iri] : vocabulary::usual_prefixes)
            serd_env_set_prefix_from_strings(env_.get(), bytes(prefix), bytes(iri));
    }

    turtle_text read() {
        const std::unique_ptr<SerdReader, decltype(&serd_reader_free)> reader(
            serd_reader_new(SERD_TURTLE, this, nullptr, on_base, on_prefix, on_statement, nullptr),
            serd_reader_free);
        serd_reader_set_strict(reader.get(), true);
        serd_reader_set_error_sink(reader.get(), on_error, this);
        // Byte by byte, so that the line of each triple is known.
        const SerdStatus status =
            serd_reader_read_source(reader.get(), next_bytes, no_error, this, nullptr, 1);
        if (status != SERD_SUCCESS && found_.mistakes.empty())
            mistake("", std::string("must be Turtle: ") +
                            reinterpret_cast<const char*>(serd_strerror(status))); // NOLINT
        return std::move(found_);
    }

  private:
    /// What an escape stands for may be no character at all.
    bool is_text(const std::string& text) {
        const bool is = odd_byte(text) == text.size();
        if (!is)
            mistake(text, "must be UTF-8");
        return is;
    }

    static turtle_parser& of(void* self) { return *static_cast<turtle_parser*>(self); }

    static std::size_t next_bytes(void* to, std::size_t, std::size_t count, void* self) {
        turtle_parser& p = of(self);
        const std::size_t n = std::min(count, p.text_.size() - p.given_);
        p.text_.copy(static_cast<char*>(to), n, p.given_);
        p.given_ += n;
        return n;
    }
    static int no_error(void*) { return 0; }

    static SerdStatus on_error(void* self, const SerdError* e) {
        std::array<char, 256> text{};
        std::va_list arguments;
        va_copy(arguments, *e->args);
        std::vsnprintf(text.data(), text.size(), e->fmt, arguments);
        va_end(arguments);
        std::string what = text.data();
        while (what.ends_with('\n'))
            what.pop_back();
        of(self).found_.mistakes.push_back({"", one_line("must be Turtle: " + what), "", e->line});
        return SERD_SUCCESS;
    }

    static SerdStatus on_base(void* self, const SerdNode* iri) {
        return serd_env_set_base_uri(of(self).env_.get(), iri);
    }

    static SerdStatus on_prefix(void* self, const SerdNode* name, const SerdNode* iri) {
        turtle_parser& p = of(self);
        if (serd_env_set_prefix(p.env_.get(), name, iri) != SERD_SUCCESS)
            p.mistake("@prefix " + text_of(*name) + ":",
                      "must stand for an absolute IRI, is " + text_of(*iri));
        return SERD_SUCCESS;
    }

    static SerdStatus on_statement(void* self, SerdStatementFlags, const SerdNode*,
                                   const SerdNode* subject, const SerdNode* predicate,
                                   const SerdNode* object, const SerdNode* datatype,
                                   const SerdNode* language) {
        turtle_parser& p = of(self);
        if (p.found_.mistakes.size() >= mistakes_max)
            return SERD_ERR_UNKNOWN;
        if (p.found_.triples.size() == triples_max) {
            p.mistake("", "must hold " + std::to_string(triples_max) + " statements at most");
            return SERD_ERR_UNKNOWN;
        }
        triple t;
        t.line = p.line();
        t.object.is_literal = object->type == SERD_LITERAL;
        bool whole = p.iri(*subject, t.subject) && p.iri(*predicate, t.predicate);
        if (t.object.is_literal) {
            t.object.text = text_of(*object);
            whole = whole && p.is_text(t.object.text);
        } else {
            whole = whole && p.iri(*object, t.object.text);
        }
        if (datatype != nullptr && datatype->type != SERD_NOTHING)
            whole = whole && p.iri(*datatype, t.object.datatype);
        if (language != nullptr && language->type != SERD_NOTHING)
            t.object.language = text_of(*language);
        if (whole)
            p.found_.triples.push_back(std::move(t));
        return SERD_SUCCESS;
    }

    bool iri(const SerdNode& node, std::string& out) {
        if (node.type == SERD_BLANK) {
            mistake("a blank node", "must be an IRI: options have no nodes without a name");
            return false;
        }
        const owned_node whole(serd_env_expand_node(env_.get(), &node));
        if ((*whole).type != SERD_URI) {
            mistake(text_of(node), "must have a prefix that is declared");
            return false;
        }
        out = text_of(*whole);
        if (out.size() > iri_bytes_max) {
            mistake(out.substr(0, 60),
                    "must be an IRI of " + std::to_string(iri_bytes_max) + " bytes at most");
            return false;
        }
        if (!serd_uri_string_has_scheme((*whole).buf)) {
            mistake("<" + out + ">", "must be an absolute IRI");
            return false;
        }
        return is_text(out);
    }

    /// serd has looked at one character more than it has read.
    std::size_t line() {
        for (; counted_ + 1 < given_; ++counted_)
            line_ += text_[counted_] == '\n' ? 1 : 0;
        return line_;
    }

    void mistake(const std::string& path, const std::string& rule) {
        found_.mistakes.push_back({one_line(path), one_line(rule), "", line()});
    }

    const std::string_view text_;
    const std::unique_ptr<SerdEnv, decltype(&serd_env_free)> env_;
    turtle_text found_;
    std::size_t given_ = 0;   // characters that serd has
    std::size_t counted_ = 0; // whose lines have been counted
    std::size_t line_ = 1;
};

} // namespace

turtle_text read_triples(std::string_view text) {
    const auto opens = [](char c) { return c == '[' || c == '('; };
    turtle_text refused;
    if (text.empty())
        return {}; // says nothing, and nothing wrong; serd calls it a failure
    const std::size_t odd = odd_byte(text);
    if (odd != text.size()) { // serd lets some of that pass
        const auto lines = std::ranges::count(text.substr(0, odd), '\n');
        refused.mistakes.push_back({"",
                                    "must be Turtle: byte " + std::to_string(odd) + " is not UTF-8",
                                    "", 1 + static_cast<std::size_t>(lines)});
    } else if (std::ranges::count_if(text, opens) > brackets_max)
        refused.mistakes.push_back(
            {"", "must hold " + std::to_string(brackets_max) + " opening brackets at most", "", 0});
    else if (text.find('\0') != std::string_view::npos)
        refused.mistakes.push_back({"", "must be Turtle: holds a zero byte", "", 0});
    else
        return turtle_parser(text).read();
    return refused;
}

} // namespace lifeguard::detail
