// CppTrader's "optimized aggressive" market manager behind its own ITCH handler, with the best quotes read after each message.
// `cpp_trader_book.h` is cut from its source by build.sh.
#include <cstdint>
#include <vector>

#include "trader/providers/nasdaq/itch_handler.h"

#include "peer.h"

using namespace CppTrader;
using namespace CppTrader::ITCH;

// References of the longest day, with room; books that the feed may number.
static const size_t ORDERS = 60000000, BOOKS = 16384;

namespace {
#include "cpp_trader_book.h"

int32_t signed_price(uint8_t side, uint32_t price) { return side == 'B' ? int32_t(price) : -int32_t(price); }

class Handler : public ITCHHandler {
public:
    Checksum checksum;

    Handler() : last_(BOOKS) {}

protected:
    template <class M> bool add(const M& m) {
        market_.AddOrder(m.OrderReferenceNumber, m.StockLocate, signed_price(m.BuySellIndicator, m.Price), m.Shares);
        return quote(m.StockLocate);
    }
    bool onMessage(const StockDirectoryMessage& m) override {
        market_.AddOrderBook(m.StockLocate);
        return true;
    }
    bool onMessage(const AddOrderMessage& m) override { return add(m); }
    bool onMessage(const AddOrderMPIDMessage& m) override { return add(m); }
    bool onMessage(const OrderExecutedMessage& m) override {
        market_.ExecuteOrder(m.OrderReferenceNumber, m.ExecutedShares);
        return quote(m.StockLocate);
    }
    bool onMessage(const OrderExecutedWithPriceMessage& m) override {
        market_.ExecuteOrder(m.OrderReferenceNumber, int32_t(m.ExecutionPrice), m.ExecutedShares);
        return quote(m.StockLocate);
    }
    bool onMessage(const OrderCancelMessage& m) override {
        market_.ReduceOrder(m.OrderReferenceNumber, m.CanceledShares);
        return quote(m.StockLocate);
    }
    bool onMessage(const OrderDeleteMessage& m) override {
        market_.DeleteOrder(m.OrderReferenceNumber);
        return quote(m.StockLocate);
    }
    bool onMessage(const OrderReplaceMessage& m) override {
        market_.ReplaceOrder(m.OriginalOrderReferenceNumber, m.NewOrderReferenceNumber, m.Price, m.Shares);
        return quote(m.StockLocate);
    }
    bool onMessage(const SystemEventMessage&) override { return true; }
    bool onMessage(const StockTradingActionMessage&) override { return true; }
    bool onMessage(const RegSHOMessage&) override { return true; }
    bool onMessage(const MarketParticipantPositionMessage&) override { return true; }
    bool onMessage(const MWCBDeclineMessage&) override { return true; }
    bool onMessage(const MWCBStatusMessage&) override { return true; }
    bool onMessage(const IPOQuotingMessage&) override { return true; }
    bool onMessage(const TradeMessage&) override { return true; }
    bool onMessage(const CrossTradeMessage&) override { return true; }
    bool onMessage(const BrokenTradeMessage&) override { return true; }
    bool onMessage(const NOIIMessage&) override { return true; }
    bool onMessage(const RPIIMessage&) override { return true; }
    bool onMessage(const LULDAuctionCollarMessage&) override { return true; }
    bool onMessage(const UnknownMessage&) override { return true; }

private:
    bool quote(uint16_t locate) {
        const OrderBook* book = market_.GetOrderBook(locate);
        Quotes now;
        if (!book->bids().empty()) {
            auto best = book->best_bid();
            now.bid = nanos(best->Price);
            now.bid_qty = best->Volume;
        }
        if (!book->asks().empty()) {
            auto best = book->best_ask();
            now.ask = -nanos(best->Price);
            now.ask_qty = best->Volume;
        }
        if (now != last_[locate]) {
            last_[locate] = now;
            checksum.fold(now);
        }
        return true;
    }

    MarketManagerOptimized market_;
    std::vector<Quotes> last_;
};
} // namespace

uint64_t run(const uint8_t* bytes, size_t len) {
    static Handler* handler = new Handler();
    handler->checksum.begin();
    handler->Process(const_cast<uint8_t*>(bytes), len);
    return handler->checksum.end();
}
