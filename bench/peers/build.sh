#!/usr/bin/env bash
# Fetches the two fastest public ITCH books at the commits that were measured and builds them for `cargo bench --bench peers`.
#   bench/peers/build.sh [FOLDER]     FOLDER: where to put them, default target/peers; the bench reads PEERS, or that
# PEERS_ITCH_ORDER_BOOK and PEERS_CPP_TRADER name other git addresses of them (a mirror). Nothing of theirs is kept here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../target/peers}
mkdir -p "$out"
cd "$out"

fetch() { # NAME ADDRESS COMMIT PATH...
    [ -d "$1" ] || git clone --quiet --no-checkout "$2" "$1"
    git -C "$1" checkout --quiet "$3" -- "${@:4}"
}
fetch itch-order-book "${PEERS_ITCH_ORDER_BOOK:-https://github.com/charles-cooper/itch-order-book}" 095ac97ef46c72411a62dd9148d96d2e3ace3305 .
fetch CppTrader "${PEERS_CPP_TRADER:-https://github.com/chronoxor/CppTrader}" 99e579988b3634fac3c00cb29bc78bbc921c1f5b \
    include/trader/providers source/trader/providers performance

# Its book stands in a program of its own: what comes before that program's handler, with tables of the size this one has.
trader=CppTrader/performance/market_manager_optimized_aggressive.cpp
sed -n '/^struct Level$/,/^class MyITCHHandler/p' "$trader" | sed '$d' |
    sed -e 's/_order_books.resize(10000)/_order_books.resize(BOOKS)/' -e 's/_orders.resize(300000000)/_orders.resize(ORDERS)/' >cpp_trader_book.h
grep -q 'resize(BOOKS)' cpp_trader_book.h && grep -q 'resize(ORDERS)' cpp_trader_book.h

flags=(-std=c++17 -O3 -march=native -fno-exceptions -DNDEBUG -w "-I$here" "-I$out")
cxx=${CXX:-g++}
"$cxx" "${flags[@]}" -Iitch-order-book "$here/main.cpp" "$here/itch_order_book.cpp" -o itch_order_book
"$cxx" "${flags[@]}" -ICppTrader/include "-I$here/shim" "$here/main.cpp" "$here/cpp_trader.cpp" \
    CppTrader/source/trader/providers/nasdaq/itch_handler.cpp -o cpp_trader
echo "built $out/itch_order_book and $out/cpp_trader with $("$cxx" --version | head -1)"
