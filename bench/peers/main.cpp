// Reads the day whose path is its argument, then for each line "FROM TO" of its input applies those bytes, and answers with the CPU
// time it took in nanoseconds and the checksum.
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

#include "peer.h"

static uint64_t cpu_ns() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return uint64_t(now.tv_sec) * 1000000000u + uint64_t(now.tv_nsec);
}

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "wanted: the file of the day\n");
        return 2;
    }
    std::ifstream file(argv[1], std::ios::binary);
    std::vector<uint8_t> day((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    size_t from, to;
    while (std::scanf("%zu %zu", &from, &to) == 2) {
        if (from > to || to > day.size()) {
            std::fprintf(stderr, "%zu to %zu of %zu bytes\n", from, to, day.size());
            return 2;
        }
        uint64_t start = cpu_ns();
        uint64_t sum = run(day.data() + from, to - from);
        std::printf("%" PRIu64 " %" PRIu64 "\n", cpu_ns() - start, sum);
        std::fflush(stdout);
    }
}
