#pragma once

#include <lifeguard/error.hpp>

#include <boost/system/system_error.hpp>

#include <ostream>
#include <utility>

namespace lifeguard {

/// Lets BOOST_TEST compare with an errc: it prints both sides.
inline std::ostream& boost_test_print_type(std::ostream& out, errc e) { return out << name_of(e); }

namespace test {

/// The code that `f` throws, and the text that comes with it; empty when it returns.
struct thrown {
    error_code code;
    std::string text;
};

template <typename F>
thrown thrown_by(F&& f) {
    try {
        std::forward<F>(f)();
    } catch (const boost::system::system_error& e) {
        return {e.code(), e.what()};
    }
    return {};
}

} // namespace test
} // namespace lifeguard
