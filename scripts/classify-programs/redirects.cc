/* SPDX-License-Identifier: BSD-3-Clause
 * Follows redirects through a std::unordered_map of N entries, in one random cycle: redirects N, until
 * killed. Where the next one lies is known only when this one has been looked up.
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

int main(int argc, char **argv)
{
    size_t n = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
    if (n < 2 || n > 10000000) {
        std::fputs("Usage: redirects N, from 2 to 10000000\n", stderr);
        return 2;
    }
    std::mt19937_64 random(1);
    std::vector<uint64_t> id(n);
    for (auto &each : id)
        each = random();
    std::unordered_map<uint64_t, uint64_t> to;
    to.reserve(n);
    /* Entries lie in memory as they were added, which must not be the order of the cycle. */
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (size_t i : order)
        to[id[i]] = id[(i + 1) % n];
    for (uint64_t at = id[0];;) {
        for (int i = 0; i < 1000000; i++)
            at = to.find(at)->second;
        volatile uint64_t seen = at;
        (void)seen;
    }
}
