#include "supervision/tree.hpp"

#include "base/one_line.hpp"

namespace lifeguard::detail {
namespace {

void draw_line(const tree_node& node, std::string& text) {
    text.append(one_line(node.name)).append(" (").append(one_line(node.about)).append(")\n");
}

void draw_children(const tree_node& node, const std::string& indent, std::string& text) {
    for (const tree_node& child : node.children) {
        const bool last = &child == &node.children.back();
        text.append(indent).append(last ? "└── " : "├── ");
        draw_line(child, text);
        draw_children(child, indent + (last ? "    " : "│   "), text);
    }
}

} // namespace

std::string draw(const tree_node& root) {
    std::string text;
    draw_line(root, text);
    draw_children(root, "", text);
    return text;
}

std::string describe_intensity(unsigned intensity, duration period) {
    using namespace std::chrono;
    const bool whole = period % seconds(1) == duration::zero();
    return std::to_string(intensity) + " in " +
           (whole ? std::to_string(duration_cast<seconds>(period).count()) + " s"
                  : std::to_string(duration_cast<milliseconds>(period).count()) + " ms");
}

} // namespace lifeguard::detail
