// One order through the gate, in C++: as order.c, with the classes of portcullis_gate.hpp.
//
//   c++ -std=c++17 order.cpp $(pkg-config --cflags --libs portcullis_gate) -o order
//   ./order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID [unsent]
#include <portcullis_gate.hpp>

#include <cmath>
#include <iostream>
#include <string>

namespace {

void print_open_orders(portcullis::Gate& gate) {
  for (const auto& open : gate.open_orders())
    std::cout << "open: " << open.id << " leaves " << open.leaves << '\n';
}

void print_refusal(portcullis::Gate& gate, const portcullis_order& order, const portcullis_verdict& verdict) {
  std::cout << "refused: " << portcullis::text(verdict.reason, verdict.limit, verdict.value) << '\n';
  for (const auto& breach : gate.explain(order).breaches)
    if (breach.reason != verdict.reason)
      std::cout << "also: " << portcullis::text(breach.reason, breach.limit, breach.value) << '\n';
}

portcullis::Settled settle(portcullis::Gate& gate, const portcullis_event& event) {
  const auto settled = gate.settle(event);
  if (!settled.told) std::cerr << "order: the appliance does not know of it\n";
  return settled;
}

// Where the order would go to the venue; whether it left.
bool is_sent(const portcullis_order& order, bool is_reached) {
  if (is_reached) std::cout << "sent: " << order.id << '\n';
  return is_reached;
}

// Reserves and sends; gives the exit code.
int trade(portcullis::Gate& gate, const portcullis_order& order, bool is_reached) {
  const auto answer = gate.reserve(order);
  if (answer.status == PORTCULLIS_GATE_REFUSED) {
    print_refusal(gate, order, answer.verdict);
    return 3;
  }
  {
    // Given back wherever this ends without its being sent.
    portcullis::Unsent unsent(gate, answer.reservation);
    if (!answer.may_be_sent() || !is_sent(order, is_reached)) {
      std::cout << "released: " << order.id << '\n';
      return 4;
    }
    unsent.sent();
  }
  print_open_orders(gate);
  portcullis_event executed{};
  executed.id = executed.execution = order.id;
  executed.price = order.price;
  executed.quantity = 1;
  executed.kind = PORTCULLIS_GATE_EXECUTED_AT;
  settle(gate, executed);
  if (settle(gate, executed).outcome != PORTCULLIS_GATE_REPEATED) return 1;
  portcullis_event cancelled{};
  cancelled.id = order.id;
  cancelled.kind = PORTCULLIS_GATE_CANCELLED;
  settle(gate, cancelled);
  return 0;
}

int run(int argc, char** argv) {
  portcullis::Gate gate(argv[1], argv[2], std::chrono::seconds(5));
  print_open_orders(gate);
  portcullis_order order{};
  order.id = std::stoull(argv[8]);
  order.price = std::llround(std::stod(argv[7]) * 10000) * 100000;  // four decimals, in 1e-9
  order.instrument = gate.instrument(argv[5]);
  order.quantity = static_cast<std::uint32_t>(std::stoul(argv[6]));
  order.strategy = gate.strategy(argv[3]);
  order.account = gate.account(argv[4]);
  order.side = PORTCULLIS_GATE_BUY;
  order.order_type = PORTCULLIS_GATE_LIMIT;
  order.time_in_force = PORTCULLIS_GATE_DAY;
  const int code = trade(gate, order, argc == 9);
  const auto held = gate.exposure(order.instrument, order.strategy);
  std::cout << "position: " << held.position << " working: " << held.working_buy << ' ' << held.working_sell
            << " lost: " << gate.lost() << '\n';
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if ((argc != 9 && argc != 10) || !portcullis::Gate::fits()) {
    std::cerr << "order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID [unsent]\n";
    return 1;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "order: " << error.what() << '\n';
    return 1;
  }
}
