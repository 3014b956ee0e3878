#pragma once

#include "support/report.hpp"

namespace bench {

struct compared {
    double floor;
    double ours;
    double ratio; ///< ours / floor
};

/// Pairs that alternate, so that what else the machine does meets both; each figure is a median,
/// the ratio that of the pairs'.
template <typename Floor, typename Ours>
compared compare(int pairs, Floor floor, Ours ours) {
    std::vector<double> floors;
    std::vector<double> mine;
    std::vector<double> ratios;
    for (int i = 0; i < pairs; ++i) {
        floors.push_back(floor());
        mine.push_back(ours());
        ratios.push_back(mine.back() / floors.back());
    }
    return {median(floors), median(mine), median(ratios)};
}

} // namespace bench
