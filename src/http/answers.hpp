#pragma once

#include "http/message.hpp"
#include <lifeguard/error.hpp>
#include <lifeguard/job.hpp>

#include <exception>
#include <optional>

namespace lifeguard::detail::web {

/// Why a request is refused: thrown by routes, and sent as JSON - `code`, `message`, `where`.
struct refusal {
    refusal(unsigned with, std::string_view word, std::string sentence, std::string at = {},
            std::optional<std::size_t> byte = {})
        : status(with),
          code(word),
          message(std::move(sentence)),
          where(std::move(at)),
          position(byte) {}

    unsigned status;
    std::string_view code;               ///< a word for programs
    std::string message;                 ///< a sentence for people
    std::string where;                   ///< the member or the thing at fault
    std::optional<std::size_t> position; ///< the byte of the body at fault
};

answer to_answer(const refusal& r);

/// What a job's text is refused with. `index`: its place in a batch.
refusal to_refusal(const job_parse_error& e);

/// What the client is told of an exception: an error of lifeguard's by its code, a refusal as it
/// is, of anything else no more than that it happened.
answer to_answer(const std::exception_ptr& e);

/// The status that an error of lifeguard's is answered with.
unsigned status_of(errc e) noexcept;

answer make_answer(std::string body, unsigned status = 200);

} // namespace lifeguard::detail::web
