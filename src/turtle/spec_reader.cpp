#include "turtle/spec_reader.hpp"

#include "base/one_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

namespace lifeguard::detail {

using vocabulary::shortened;

namespace {

bool is_text(const turtle_object& o) {
    return o.is_literal && (o.datatype.empty() || shortened(o.datatype) == "xsd:string" ||
                            shortened(o.datatype) == "rdf:langString");
}

std::string shown(const turtle_object& o) {
    constexpr std::size_t bytes_max = 60;
    if (!o.is_literal)
        return one_line(shortened(o.text), bytes_max);
    std::string text = one_line('"' + o.text + '"', bytes_max);
    if (!o.datatype.empty())
        text += "^^" + shortened(o.datatype);
    return text;
}

std::optional<json> number_of(std::string_view text) {
    if (text.starts_with('+'))
        text.remove_prefix(1);
    const char* const end = text.data() + text.size();
    std::uint64_t natural = 0;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): both ends are given
    if (const auto r = std::from_chars(text.data(), end, natural);
        r.ec == std::errc() && r.ptr == end)
        return json(natural);
    std::int64_t whole = 0;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): both ends are given
    if (const auto r = std::from_chars(text.data(), end, whole);
        r.ec == std::errc() && r.ptr == end)
        return json(whole);
    return std::nullopt;
}

/// What an IRI ends with: the name of a pool that has no other.
std::string local_name(const std::string& iri) {
    const std::size_t cut = iri.find_last_of("#/:");
    return cut == std::string::npos ? iri : iri.substr(cut + 1);
}

} // namespace

spec_reader::spec_reader(turtle_text text) : text_(std::move(text)) {
    document_.mistakes = text_.mistakes;
}

option_document spec_reader::read() {
    group();
    for (const subject& s : subjects_) {
        if (s.type == "rdfs:Class")
            read_class(s);
        else if (s.type == "rdf:Property")
            read_property(s);
        else if (s.type != vocabulary::worker_pool && s.type != vocabulary::worker)
            mistake(s.name + (s.type.empty() ? "" : " rdf:type"),
                    "must be a jobs:WorkerPool or a jobs:Worker", *s.said.front());
    }
    document_.value["pools"] = json::array();
    for (const subject& s : subjects_)
        if (s.type == vocabulary::worker_pool || s.type == vocabulary::worker)
            read_pool(&s, s.type);
    if (document_.value["pools"].empty())
        read_pool(nullptr, std::string(vocabulary::worker_pool));
    return std::move(document_);
}

/// By subject, in the order in which they first appear.
void spec_reader::group() {
    std::map<std::string, std::size_t> known;
    for (const triple& t : text_.triples) {
        const auto [at, is_new] = known.emplace(t.subject, subjects_.size());
        if (is_new)
            subjects_.push_back({shortened(t.subject), "", {}});
        subject& s = subjects_[at->second];
        const auto again = [&t](const triple* other) {
            return other->predicate == t.predicate && other->object == t.object;
        };
        if (s.said.size() < 100 && std::ranges::any_of(s.said, again))
            continue; // the same triple is the same statement
        s.said.push_back(&t);
        if (shortened(t.predicate) != "rdf:type")
            continue;
        if (!s.type.empty())
            mistake(s.name + " rdf:type", "must be given once", t);
        s.type = t.object.is_literal ? shown(t.object) : shortened(t.object.text);
    }
}

void spec_reader::read_class(const subject& s) {
    if (s.name != vocabulary::worker_pool && s.name != vocabulary::worker) {
        mistake(s.name, "must be jobs:WorkerPool or jobs:Worker to be a class of ours",
                *s.said.front());
        return;
    }
    for (const triple* t : s.said) {
        const std::string term = shortened(t->predicate);
        const std::string where = s.name + " " + term;
        if (term == "rdfs:label" || term == "rdfs:comment") {
            if (!is_text(t->object))
                mistake(where, "must be a text", *t);
        } else if (term == "jobs:hasProperty") {
            const std::string name = t->object.is_literal ? "" : shortened(t->object.text);
            if (vocabulary::find(name, s.name) == nullptr)
                mistake(where, "must be a property of " + s.name, *t);
        } else if (term != "rdf:type") {
            mistake(where, "is not a term that classes have", *t);
        }
    }
}

void spec_reader::read_property(const subject& s) {
    const vocabulary::property* const p = vocabulary::find(s.name);
    if (p == nullptr) {
        mistake(s.name, "is not a property of jobs:WorkerPool or jobs:Worker", *s.said.front());
        return;
    }
    for (const triple* t : s.said) {
        const std::string term = shortened(t->predicate);
        const std::string where = s.name + " " + term;
        if (term == "rdfs:label" || term == "rdfs:comment") {
            if (!is_text(t->object))
                mistake(where, "must be a text", *t);
        } else if (term == "rdfs:domain") {
            must_be(*t, where, p->domain);
        } else if (term == "rdfs:range") {
            must_be(*t, where, vocabulary::name_of(p->values));
        } else if (term == "jobs:defaultValue") {
            if (defaults_.contains(s.name))
                mistake(where, "must be given once", *t);
            else if (auto value = value_of(*t, where, p->values))
                defaults_[s.name] = {std::move(*value), t->line};
        } else if (term != "rdf:type") {
            mistake(where, "is not a term that properties have", *t);
        }
    }
}

/// `s` null: one pool that nobody named.
void spec_reader::read_pool(const subject* s, const std::string& kind) {
    const std::string at = "pools[" + std::to_string(document_.value["pools"].size()) + "]";
    json pool = json::object();
    if (s != nullptr) {
        document_.lines[at] = s->said.front()->line;
        for (const triple* t : s->said)
            read_member(pool, at, *s, *t, kind);
        if (!pool.contains("name")) {
            pool["name"] = local_name(s->said.front()->subject);
            document_.lines[at + ".name"] = s->said.front()->line;
        }
    }
    // A worker runs jobs as those of a pool do.
    for (const auto& [name, given] : defaults_) {
        const vocabulary::property& p = *vocabulary::find(name);
        const bool of_pool = p.domain == vocabulary::worker_pool;
        const bool fits = p.domain == kind ||
                          (of_pool && p.name != "jobs:poolSize" && p.name != "jobs:maxOverflow");
        const std::string member(p.member);
        if (!fits || member.empty() || pool.contains(member))
            continue;
        pool[member] = member == "queues" ? json::array({given.first}) : given.first;
        document_.lines[std::string(at).append(".").append(member)] = given.second;
    }
    if (kind == vocabulary::worker) {
        pool["size"] = 1U;
        pool["max_overflow"] = 0U;
    }
    document_.value["pools"].push_back(std::move(pool));
}

void spec_reader::read_member(json& pool, const std::string& at, const subject& s, const triple& t,
                              const std::string& kind) {
    const std::string term = shortened(t.predicate);
    const std::string where = s.name + " " + term;
    if (term == "rdf:type")
        return;
    if (term == "rdfs:label" || term == "rdfs:comment") {
        if (!is_text(t.object))
            mistake(where, "must be a text", t);
        return;
    }
    const vocabulary::property* const p = vocabulary::find(term, kind);
    if (p == nullptr) {
        mistake(where, "is not a property of " + kind, t);
        return;
    }
    auto value = value_of(t, where, p->values);
    if (!value)
        return;
    if (p->member.empty()) { // the state of a breaker, which is no option
        if (*value != false)
            mistake(where, "must be false: breakers begin closed", t);
        return;
    }
    const std::string member(p->member);
    const bool several = p->name == "jobs:queue";
    if (pool.contains(member) && !several) {
        mistake(where, "must be given once", t);
        return;
    }
    document_.lines.emplace(at + "." + member, t.line);
    if (member != "queues")
        pool[member] = std::move(*value);
    else
        pool[member].push_back(std::move(*value));
}

std::optional<json> spec_reader::value_of(const triple& t, const std::string& where,
                                          vocabulary::range wanted) {
    const turtle_object& o = t.object;
    const std::string type = shortened(o.datatype);
    std::optional<json> value;
    switch (wanted) {
    case vocabulary::range::integer:
        if (o.is_literal && type == "xsd:integer")
            value = number_of(o.text);
        break;
    case vocabulary::range::boolean:
        if (o.is_literal && type == "xsd:boolean" &&
            (o.text == "true" || o.text == "false" || o.text == "1" || o.text == "0"))
            value = o.text == "true" || o.text == "1";
        break;
    case vocabulary::range::string:
        if (is_text(o))
            value = o.text;
        break;
    }
    if (!value)
        mistake(where, "must be an " + std::string(vocabulary::name_of(wanted)), t);
    return value;
}

bool spec_reader::must_be(const triple& t, const std::string& where, std::string_view term) {
    const bool is = !t.object.is_literal && shortened(t.object.text) == term;
    if (!is)
        mistake(where, "must be " + std::string(term), t);
    return is;
}

void spec_reader::mistake(const std::string& where, std::string rule, const triple& t) {
    document_.mistakes.push_back({where, std::move(rule), shown(t.object), t.line});
}

} // namespace lifeguard::detail
