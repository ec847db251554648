// What CppTrader's ITCH handler needs of CppCommon, so that nothing else has to be fetched: numbers in network order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace CppCommon {
struct Endian {
    static bool IsBigEndian() { return false; }

    template <class T> static size_t ReadBigEndian(const void* from, T& value) {
        using Word = std::make_unsigned_t<T>;
        Word word;
        std::memcpy(&word, from, sizeof word);
        if constexpr (sizeof word == 2) value = T(__builtin_bswap16(word));
        else if constexpr (sizeof word == 4) value = T(__builtin_bswap32(word));
        else value = T(__builtin_bswap64(word));
        return sizeof word;
    }
};
} // namespace CppCommon
