#include "pool/pool_accounting.hpp"

#include <algorithm>

namespace lifeguard::detail {

void pool_accounting::open(pool_actions& actions) {
    open_ = true;
    for (unsigned i = 0; i < size_; ++i)
        start(actions);
    start_overflow(actions);
}

void pool_accounting::close() noexcept {
    const auto forget = [](pooled* p) { p->at = pooled::place::out; };
    idle_.clear_and_dispose(forget);
    lent_.clear_and_dispose(forget);
    idle_count_ = leased_ = starting_ = 0;
    overflow_ = 0;
    open_ = false;
}

void pool_accounting::start(pool_actions& actions) {
    ++starting_;
    actions.start();
}

pooled* pool_accounting::checkout() noexcept {
    if (idle_.empty())
        return nullptr;
    pooled& p = idle_.front();
    take(p);
    return &p;
}

void pool_accounting::take(pooled& p) noexcept {
    p.unlink();
    --idle_count_;
    lend(p);
}

void pool_accounting::lend(pooled& p) noexcept {
    p.at = pooled::place::leased;
    lent_.push_back(p);
    ++leased_;
}

void pool_accounting::wait(pool_waiter& w, pool_actions& actions) {
    if (waits_ == waiting_order::fifo)
        waiters_.push_back(w);
    else
        waiters_.push_front(w);
    ++waiting_;
    start_overflow(actions);
}

void pool_accounting::start_overflow(pool_actions& actions) {
    while (open_ && starting_ < waiting_ && overflow_ < max_overflow_) {
        ++overflow_;
        start(actions);
    }
}

pool_waiter* pool_accounting::dismiss_waiter() noexcept {
    if (waiters_.empty())
        return nullptr;
    pool_waiter& w = waiters_.front();
    give_up(w);
    return &w;
}

void pool_accounting::give_up(pool_waiter& w) noexcept {
    w.unlink();
    --waiting_;
}

/// A resource is free: for who waits longest, for nobody because it is one too many, or to lie
/// idle.
void pool_accounting::place(pooled& p, pool_actions& actions) {
    if (pool_waiter* w = dismiss_waiter()) {
        lend(p);
        actions.grant(*w, p);
    } else if (overflow_ > 0) {
        --overflow_;
        p.at = pooled::place::out;
        actions.end(p);
    } else {
        p.at = pooled::place::idle;
        ++idle_count_;
        if (order_ == reuse_order::lifo)
            idle_.push_front(p);
        else
            idle_.push_back(p);
    }
}

void pool_accounting::checkin(pooled& p, pool_actions& actions) {
    if (p.at != pooled::place::leased)
        return; // it died meanwhile
    p.unlink();
    --leased_;
    place(p, actions);
}

void pool_accounting::died(pooled& p, pool_actions& actions) {
    switch (p.at) {
    case pooled::place::leased:
        p.unlink();
        --leased_;
        break;
    case pooled::place::idle:
        p.unlink();
        --idle_count_;
        break;
    case pooled::place::starting:
    case pooled::place::out:
        return;
    }
    p.at = pooled::place::out;
    replace(actions);
}

/// One resource less: overflow is not refilled unless somebody waits.
void pool_accounting::replace(pool_actions& actions) {
    if (overflow_ > 0 && waiters_.empty())
        --overflow_;
    else
        start(actions);
}

void pool_accounting::started(pooled& p, pool_actions& actions) {
    --starting_;
    place(p, actions);
}

bool pool_accounting::start_failed() {
    if (overflow_ == 0 || starting_ <= waiting_)
        return true;
    --starting_;
    --overflow_;
    return false;
}

void pool_accounting::start_lost(pool_actions& actions) {
    --starting_;
    replace(actions);
}

void pool_accounting::resize(unsigned size, unsigned max_overflow, pool_actions& actions) {
    max_overflow_ = max_overflow;
    const unsigned former = size_;
    size_ = size;
    if (size >= former) {
        unsigned more = size - former;
        const unsigned surplus = std::min(more, overflow_);
        overflow_ -= surplus;
        for (more -= surplus; more != 0; --more)
            start(actions);
        return;
    }
    overflow_ += former - size;
    while (overflow_ > 0 && !idle_.empty()) {
        pooled& p = order_ == reuse_order::lifo ? idle_.back() : idle_.front(); // the coldest
        p.unlink();
        --idle_count_;
        --overflow_;
        p.at = pooled::place::out;
        actions.end(p);
    }
}

} // namespace lifeguard::detail
