// What both peers share: the file of the day, the rounds that the bench asks for, and the checksum over the stream of best quotes.
#pragma once
#include <cstddef>
#include <cstdint>

// Best prices and quantities as the bench folds them; a side without a level has the price that is none.
struct Quotes {
    int64_t bid = INT64_MAX, ask = INT64_MAX;
    uint64_t bid_qty = 0, ask_qty = 0;

    bool operator!=(const Quotes& other) const {
        return (bid != other.bid) | (ask != other.ask) | (bid_qty != other.bid_qty) | (ask_qty != other.ask_qty);
    }
};

// A price of the feed (1e-4) as the product has it (1e-9).
inline int64_t nanos(int64_t price) { return price * 100000; }

// The checksum of `bench::line`: over every best bid and offer that differs from the one before it.
class Checksum {
public:
    void begin() { sum_ = 0; }
    uint64_t end() const { return sum_; }
    void fold(const Quotes& q) {
        uint64_t word = left(uint64_t(q.bid), 7) ^ uint64_t(q.ask) ^ left(q.bid_qty, 32) ^ left(q.ask_qty, 48);
        sum_ = (sum_ ^ word) * 6364136223846793005ULL;
    }

private:
    static uint64_t left(uint64_t word, int by) { return word << by | word >> (64 - by); }
    uint64_t sum_ = 0;
};

// Defined by each peer: applies the messages in `bytes` and returns the checksum of their quotes.
uint64_t run(const uint8_t* bytes, size_t len);
