// charles-cooper/itch-order-book, driven message by message as its own main does, with the best quotes read after each.
#include <endian.h>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "itch.h"
#include "order_book.h"
#include "peer.h"

// References of the longest day, with room.
static constexpr size_t ORDERS = 60000000;

static Checksum checksum;
static std::vector<Quotes> last(order_book::MAX_BOOKS);

static sprice_t signed_price(price_t price, BUY_SELL side) {
    int32_t raw = int32_t(MKPRIMITIVE(price));
    return sprice_t(side == BUY_SELL::SELL ? -raw : raw);
}

static void quote(uint16_t locate) {
    order_book& book = order_book::s_books[locate];
    Quotes now;
    if (!book.m_bids.empty()) {
        auto& best = book.m_bids.back();
        now.bid = nanos(MKPRIMITIVE(best.m_price));
        now.bid_qty = uint32_t(MKPRIMITIVE(order_book::s_levels[best.m_ptr].m_qty));
    }
    if (!book.m_offers.empty()) {
        auto& best = book.m_offers.back();
        now.ask = -nanos(MKPRIMITIVE(best.m_price));
        now.ask_qty = uint32_t(MKPRIMITIVE(order_book::s_levels[best.m_ptr].m_qty));
    }
    if (now != last[locate]) {
        last[locate] = now;
        checksum.fold(now);
    }
}

static uint16_t book_of(order_id_t id) { return uint16_t(order_book::oid_map.get(id)->book_idx); }

template <itch_t T> static itch_message<T> parse(const char* message) { return itch_message<T>::parse(message); }

static void add(const itch_message<itch_t::ADD_ORDER>& m) {
    order_book::add_order(order_id_t(m.oid), book_id_t(m.stock_locate), signed_price(m.price, m.buy), m.qty);
    quote(m.stock_locate);
}

template <class Change> static void change(order_id_t id, Change change) {
    uint16_t book = book_of(id);
    change(id);
    quote(book);
}

static void apply(const char* message) {
    switch (itch_t(message[0])) {
        case itch_t::ADD_ORDER:
            add(parse<itch_t::ADD_ORDER>(message));
            break;
        case itch_t::ADD_ORDER_MPID:
            add(parse<itch_t::ADD_ORDER_MPID>(message).add_msg);
            break;
        case itch_t::EXECUTE_ORDER: {
            auto const m = parse<itch_t::EXECUTE_ORDER>(message);
            change(order_id_t(m.oid), [&](order_id_t id) { order_book::execute_order(id, m.qty); });
            break;
        }
        case itch_t::EXECUTE_ORDER_WITH_PRICE: {
            auto const m = parse<itch_t::EXECUTE_ORDER_WITH_PRICE>(message);
            change(order_id_t(m.exec.oid), [&](order_id_t id) { order_book::execute_order(id, m.exec.qty); });
            break;
        }
        case itch_t::REDUCE_ORDER: {
            auto const m = parse<itch_t::REDUCE_ORDER>(message);
            change(order_id_t(m.oid), [&](order_id_t id) { order_book::cancel_order(id, m.qty); });
            break;
        }
        case itch_t::DELETE_ORDER: {
            auto const m = parse<itch_t::DELETE_ORDER>(message);
            change(order_id_t(m.oid), [&](order_id_t id) { order_book::delete_order(id); });
            break;
        }
        case itch_t::REPLACE_ORDER: {
            auto const m = parse<itch_t::REPLACE_ORDER>(message);
            change(order_id_t(m.oid), [&](order_id_t id) {
                // The sign of the price is not looked at: the side is the old order's.
                order_book::replace_order(id, order_id_t(m.new_order_id), m.new_qty,
                                          signed_price(m.new_price, BUY_SELL::BUY));
            });
            break;
        }
        default:
            break;
    }
}

uint64_t run(const uint8_t* bytes, size_t len) {
    if (order_book::oid_map.m_data.empty()) {
        order_book::oid_map.reserve(order_id_t(ORDERS));
        order_book::s_levels.m_allocated.reserve(order_book::NUM_LEVELS);
    }
    checksum.begin();
    for (size_t at = 0; at + 2 < len;) {
        size_t message = size_t(bytes[at]) << 8 | bytes[at + 1];
        apply(reinterpret_cast<const char*>(bytes + at + 2));
        at += 2 + message;
    }
    return checksum.end();
}
