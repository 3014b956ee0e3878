#pragma once

#include "engine/option_document.hpp"
#include "turtle/triples.hpp"
#include "turtle/vocabulary.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lifeguard::detail {

/// Makes the options that triples stand for, as a JSON document: each instance of jobs:WorkerPool
/// is a pool, each of jobs:Worker a pool of one worker. Declared default values stand in for what
/// an instance does not say. Classes without instances mean one pool.
class spec_reader {
  public:
    explicit spec_reader(turtle_text text);
    option_document read();

  private:
    /// All that is said of one subject, in the order of the text.
    struct subject {
        std::string name; ///< shortened
        std::string type; ///< shortened; empty: none is given
        std::vector<const triple*> said;
    };

    void group();
    void read_class(const subject& s);
    void read_property(const subject& s);
    void read_pool(const subject* s, const std::string& kind);
    void read_member(json& pool, const std::string& at, const subject& s, const triple& t,
                     const std::string& kind);
    std::optional<json> value_of(const triple& t, const std::string& where,
                                 vocabulary::range wanted);
    bool must_be(const triple& t, const std::string& where, std::string_view term);
    void mistake(const std::string& where, std::string rule, const triple& t);

    const turtle_text text_;
    option_document document_;
    std::vector<subject> subjects_;
    /// Declared, by the property's name.
    std::map<std::string, std::pair<json, std::size_t>, std::less<>> defaults_;
};

} // namespace lifeguard::detail
