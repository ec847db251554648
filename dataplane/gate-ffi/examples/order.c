/* One order through the gate, in C: attaches, asks what is open, reserves, sends, settles what the venue would say, and prints.
 *
 *   cc order.c $(pkg-config --cflags --libs portcullis_gate) -o order
 *   ./order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID [unsent]
 *
 * unsent: as if the venue could not be reached. Exit: 0 sent, 1 the appliance or an argument is not there, 3 the gate refused the
 * order, 4 it could not be sent. */
#include <inttypes.h>
#include <portcullis_gate.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BREACHES = 64, OPEN_ORDERS = 64 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Ends the program when a call failed. Never between a reservation and what is made of it. */
static int32_t must(portcullis_gate *gate, int32_t status) {
  if (status == PORTCULLIS_GATE_UNTOLD) fprintf(stderr, "order: the appliance does not know of it\n");
  if (status >= PORTCULLIS_GATE_OK) return status;
  fprintf(stderr, "order: %s\n", portcullis_gate_last_error(gate));
  portcullis_gate_detach(gate);
  exit(1);
}

static void print_reason(const char *word, uint16_t reason, int64_t limit, int64_t value) {
  char text[256];
  if (portcullis_gate_reason_text(reason, limit, value, text, sizeof text) == PORTCULLIS_GATE_OK)
    printf("%s: %s\n", word, text);
  else
    printf("%s: reason %u, limit %" PRId64 ", found %" PRId64 "\n", word, reason, limit, value);
}

/* Why an order was refused, and what else is wrong with it by now. */
static void print_refusal(portcullis_gate *gate, const portcullis_order *order, const portcullis_verdict *verdict) {
  print_reason("refused", verdict->reason, verdict->limit, verdict->value);
  portcullis_verdict again;
  portcullis_breach breaches[BREACHES];
  size_t count = 0;
  must(gate, portcullis_gate_explain(gate, order, now_ns(), &again, breaches, BREACHES, &count));
  for (size_t i = 0; i < count && i < BREACHES; i++)
    if (breaches[i].reason != verdict->reason)
      print_reason("also", breaches[i].reason, breaches[i].limit, breaches[i].value);
}

/* A program that goes on trading asks the venue of each, and settles what it says. */
static void print_open_orders(portcullis_gate *gate) {
  portcullis_open_order open[OPEN_ORDERS];
  size_t count = 0;
  must(gate, portcullis_gate_open_orders(gate, open, OPEN_ORDERS, &count));
  for (size_t i = 0; i < count && i < OPEN_ORDERS; i++)
    printf("open: %" PRIu64 " leaves %" PRIu32 "\n", open[i].id, open[i].leaves);
  if (count > OPEN_ORDERS) printf("open: %zu more\n", count - OPEN_ORDERS);
}

static void settle(portcullis_gate *gate, portcullis_event event) {
  uint8_t settled = 0;
  must(gate, portcullis_gate_settle(gate, &event, now_ns(), &settled));
}

/* Where the order would go to the venue; whether it left. */
static int is_sent(const portcullis_order *order, int is_reached) {
  if (is_reached) printf("sent: %" PRIu64 "\n", order->id);
  return is_reached;
}

/* Reserves and sends; gives the exit code. */
static int trade(portcullis_gate *gate, const portcullis_order *order, int is_reached) {
  portcullis_verdict verdict;
  portcullis_reservation reservation;
  int32_t status = must(gate, portcullis_gate_reserve(gate, order, now_ns(), &verdict, &reservation));
  if (status == PORTCULLIS_GATE_REFUSED) {
    print_refusal(gate, order, &verdict);
    return 3;
  }
  /* On another status than OK there may be a reservation all the same: it is given back, too. */
  if (status != PORTCULLIS_GATE_OK || !is_sent(order, is_reached)) {
    uint8_t settled = 0;
    must(gate, portcullis_gate_release(gate, &reservation, now_ns(), &settled));
    printf("released: %" PRIu64 "\n", reservation.id);
    return 4;
  }
  print_open_orders(gate);
  /* The venue trades one share at the order's price, tells it twice, and cancels the rest. */
  portcullis_event executed = {.id = order->id, .execution = order->id, .price = order->price, .quantity = 1,
                               .kind = PORTCULLIS_GATE_EXECUTED_AT};
  settle(gate, executed);
  settle(gate, executed);
  settle(gate, (portcullis_event){.id = order->id, .kind = PORTCULLIS_GATE_CANCELLED});
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 9 && argc != 10) {
    fprintf(stderr, "order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID [unsent]\n");
    return 1;
  }
  char error[256] = "";
  portcullis_gate *gate = NULL;
  if (portcullis_gate_attach(PORTCULLIS_GATE_ABI_VERSION, argv[1], argv[2], 5000, &gate, error, sizeof error)) {
    fprintf(stderr, "order: %s\n", error);
    return 1;
  }
  print_open_orders(gate);
  portcullis_order order = {0};
  order.id = strtoull(argv[8], NULL, 10);
  order.price = (int64_t)(strtod(argv[7], NULL) * 10000 + 0.5) * 100000; /* four decimals, in 1e-9 */
  order.quantity = (uint32_t)strtoul(argv[6], NULL, 10);
  order.side = PORTCULLIS_GATE_BUY;
  order.order_type = PORTCULLIS_GATE_LIMIT;
  order.time_in_force = PORTCULLIS_GATE_DAY;
  must(gate, portcullis_gate_instrument(gate, argv[5], &order.instrument));
  must(gate, portcullis_gate_strategy(gate, argv[3], &order.strategy));
  must(gate, portcullis_gate_account(gate, argv[4], &order.account));
  int code = trade(gate, &order, argc == 9);

  portcullis_exposure held;
  uint64_t lost = 0;
  must(gate, portcullis_gate_exposure(gate, order.instrument, order.strategy, &held));
  must(gate, portcullis_gate_lost(gate, &lost));
  printf("position: %" PRId64 " working: %" PRIu64 " %" PRIu64 " lost: %" PRIu64 "\n", held.position, held.working_buy,
         held.working_sell, lost);
  portcullis_gate_detach(gate);
  return code;
}
