#pragma once

#include <iostream>
#include <string>
#include <string_view>

/// What an example claims to show, and whether it was so.
class claims {
  public:
    void check(bool holds, const std::string& claim) {
        std::cout << (holds ? "  ok      " : "  FAILED  ") << claim << '\n';
        ++made_;
        failed_ += holds ? 0 : 1;
    }

    /// The last line of the program, and its exit status. Nothing claimed is nothing shown.
    int conclude(std::string_view example) const {
        std::cout << example << ": ";
        if (failed_ == 0 && made_ != 0)
            std::cout << "all " << made_ << " claims hold" << std::endl;
        else
            std::cout << failed_ << " of " << made_ << " claims FAILED" << std::endl;
        return failed_ == 0 && made_ != 0 ? 0 : 1;
    }

  private:
    unsigned made_ = 0;
    unsigned failed_ = 0;
};
