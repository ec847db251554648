/* Flat C API over DPDK.
 *
 * Everything whose layout or inlining depends on the installed DPDK stays on this side: Rust sees functions, scalars, the
 * three structs below and the few mbuf fields whose offsets are asserted here. Only API that DPDK 22.11 and 24.11 share is
 * used, so that one source serves both. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "DPDK 22.11 or newer is wanted"
#endif

/* What the mirror of struct rte_mbuf in src/lib.rs relies on: a DPDK that moves these does not build. */
_Static_assert(offsetof(struct rte_mbuf, buf_addr) == 0, "rte_mbuf.buf_addr");
_Static_assert(offsetof(struct rte_mbuf, data_off) == 16, "rte_mbuf.data_off");
_Static_assert(offsetof(struct rte_mbuf, nb_segs) == 20, "rte_mbuf.nb_segs");
_Static_assert(offsetof(struct rte_mbuf, port) == 22, "rte_mbuf.port");
_Static_assert(offsetof(struct rte_mbuf, ol_flags) == 24, "rte_mbuf.ol_flags");
_Static_assert(offsetof(struct rte_mbuf, pkt_len) == 36, "rte_mbuf.pkt_len");
_Static_assert(offsetof(struct rte_mbuf, data_len) == 40, "rte_mbuf.data_len");
_Static_assert(sizeof(struct rte_mbuf) == 128, "sizeof rte_mbuf");
_Static_assert(sizeof(((struct rte_mbuf *)0)->nb_segs) == 2, "rte_mbuf.nb_segs is 16 bits");
_Static_assert(sizeof(((struct rte_mbuf *)0)->data_len) == 2, "rte_mbuf.data_len is 16 bits");
_Static_assert(sizeof(rte_mbuf_timestamp_t) == 8, "rte_mbuf_timestamp_t");

int pcl_errno(void) { return rte_errno; }
const char *pcl_version(void) { return rte_version(); }
/* Release of the headers, year * 100 + month: 2211. The soname ties the binary to the same release of the library. */
uint32_t pcl_release(void) { return RTE_VER_YEAR * 100 + RTE_VER_MONTH; }

/* --- Log ---------------------------------------------------------------------------------------------------------------
 * While a capture is on, DPDK's log goes to a bounded buffer, so that a failed call can say why in its error. What comes
 * before an rte_panic (level CRIT and above) is shown at once, since nobody would be there to show it later. */
static char log_text[8192];
static size_t log_used;
static FILE *log_stream;

static ssize_t log_write(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_CRIT)
		fwrite(text, 1, size, stderr);
	const char *kept = text;
	size_t n = size;
	if (n > sizeof log_text) { /* the end says more than the beginning */
		kept += n - sizeof log_text;
		n = sizeof log_text;
	}
	if (log_used + n > sizeof log_text) {
		size_t gone = log_used + n - sizeof log_text;
		memmove(log_text, log_text + gone, log_used - gone);
		log_used -= gone;
	}
	memcpy(log_text + log_used, kept, n);
	log_used += n;
	return (ssize_t)size;
}

/* Starts a capture. One at a time: the caller holds a lock until pcl_log_end. */
int pcl_log_begin(void)
{
	if (log_stream == NULL) {
		cookie_io_functions_t io = { .write = log_write };
		log_stream = fopencookie(NULL, "w", io);
		if (log_stream == NULL)
			return -errno;
	}
	flockfile(log_stream);
	log_used = 0;
	funlockfile(log_stream);
	return rte_openlog_stream(log_stream);
}

/* Ends the capture and copies at most `room` bytes of its end. The stream is never closed: another thread may have fetched
 * it from DPDK just before and still write to it. */
size_t pcl_log_end(char *out, size_t room)
{
	rte_openlog_stream(NULL);
	flockfile(log_stream);
	fflush_unlocked(log_stream);
	size_t n = log_used < room ? log_used : room;
	memcpy(out, log_text + log_used - n, n);
	funlockfile(log_stream);
	return n;
}

/* --- EAL ------------------------------------------------------------------------------------------------------------ */

/* rte_eal_init pins its caller, and every thread born of it later inherits that; put the mask back whatever happened. */
int pcl_eal_init(int argc, char **argv, int *affinity_rc)
{
	cpu_set_t before;
	int got = pthread_getaffinity_np(pthread_self(), sizeof before, &before);
	int rc = rte_eal_init(argc, argv);
	*affinity_rc = got != 0 ? got : pthread_setaffinity_np(pthread_self(), sizeof before, &before);
	return rc;
}
int pcl_eal_cleanup(void) { return rte_eal_cleanup(); }

int pcl_thread_register(void) { return rte_thread_register(); }
void pcl_thread_unregister(void) { rte_thread_unregister(); }
/* The caller's lcore, or UINT32_MAX when DPDK does not know the thread. */
uint32_t pcl_lcore_id(void) { return rte_lcore_id() == LCORE_ID_ANY ? UINT32_MAX : rte_lcore_id(); }

int pcl_device_probe(const char *devargs) { return rte_dev_probe(devargs); }
int pcl_port_by_name(const char *name, uint16_t *port) { return rte_eth_dev_get_port_by_name(name, port); }
uint16_t pcl_port_count(void) { return rte_eth_dev_count_avail(); }

/* --- Mempool -------------------------------------------------------------------------------------------------------- */

struct rte_mempool *pcl_pool_create(const char *name, uint32_t mbufs, uint32_t cache, uint16_t data_room, int socket)
{
	return rte_pktmbuf_pool_create(name, mbufs, cache, 0, data_room, socket);
}
void pcl_pool_free(struct rte_mempool *pool) { rte_mempool_free(pool); }
uint32_t pcl_pool_in_use(const struct rte_mempool *pool) { return rte_mempool_in_use_count(pool); }

/* --- Port ----------------------------------------------------------------------------------------------------------- */

struct pcl_port_info {
	uint64_t rx_offload_capa;
	int32_t socket; /* -1: none, or any */
	uint16_t max_rx_queues, max_tx_queues;
	uint16_t rx_descriptors, tx_descriptors; /* as set up */
	uint16_t mtu;
	uint8_t mac[6];
	uint32_t padding;
};
_Static_assert(sizeof(struct pcl_port_info) == 32, "mirrored by PortInfo");

struct pcl_link {
	uint32_t speed_mbps; /* UINT32_MAX: unknown */
	uint8_t up, full_duplex;
	uint16_t padding;
};
_Static_assert(sizeof(struct pcl_link) == 8, "mirrored by Link");

struct pcl_stats {
	uint64_t ipackets, opackets, ibytes, obytes, imissed, ierrors, oerrors, rx_nombuf;
};
_Static_assert(sizeof(struct pcl_stats) == 64, "mirrored by Stats");

/* The driver's name, NUL-terminated. */
int pcl_port_driver(uint16_t port, char out[32])
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);
	if (rc == 0)
		snprintf(out, 32, "%s", info.driver_name);
	return rc;
}

/* Which call of pcl_port_configure failed; order of the calls. */
enum pcl_step {
	PCL_STEP_INFO = 0,
	PCL_STEP_QUEUE_LIMIT,
	PCL_STEP_CONFIGURE,
	PCL_STEP_DESCRIPTORS,
	PCL_STEP_RX_QUEUE,
	PCL_STEP_TX_QUEUE,
	PCL_STEP_MAC,
};

/* What every port is asked to look at where it can: a packet that the card finds damaged is then marked in ol_flags. Without the
 * request most drivers mark nothing, and software looks at each packet. */
#define PCL_CHECKSUMS (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

/* Configures the port and sets up all its queues. `timestamps`: ask for the RX timestamp offload where there is one. */
int pcl_port_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues, uint16_t rx_descriptors,
		       uint16_t tx_descriptors, int timestamps, struct rte_mempool *pool, struct pcl_port_info *out,
		       uint32_t *step)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	struct rte_ether_addr mac;
	int rc;

	*step = PCL_STEP_INFO;
	rc = rte_eth_dev_info_get(port, &info);
	if (rc != 0)
		return rc;
	*step = PCL_STEP_QUEUE_LIMIT;
	if (rx_queues > info.max_rx_queues || tx_queues > info.max_tx_queues)
		return -EINVAL;

	*step = PCL_STEP_CONFIGURE;
	memset(&conf, 0, sizeof conf);
	conf.rxmode.offloads = info.rx_offload_capa & PCL_CHECKSUMS;
	if (timestamps)
		conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP;
	rc = rte_eth_dev_configure(port, rx_queues, tx_queues, &conf);
	if (rc != 0)
		return rc;
	*step = PCL_STEP_DESCRIPTORS;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_descriptors, &tx_descriptors);
	if (rc != 0)
		return rc;

	const int socket = rte_eth_dev_socket_id(port);
	const unsigned int where = socket < 0 ? (unsigned int)SOCKET_ID_ANY : (unsigned int)socket;
	*step = PCL_STEP_RX_QUEUE;
	for (uint16_t q = 0; q < rx_queues; q++) {
		struct rte_eth_rxconf rx = info.default_rxconf;
		rx.offloads = conf.rxmode.offloads;
		rc = rte_eth_rx_queue_setup(port, q, rx_descriptors, where, &rx, pool);
		if (rc != 0)
			return rc;
	}
	*step = PCL_STEP_TX_QUEUE;
	for (uint16_t q = 0; q < tx_queues; q++) {
		struct rte_eth_txconf tx = info.default_txconf;
		tx.offloads = 0;
		rc = rte_eth_tx_queue_setup(port, q, tx_descriptors, where, &tx);
		if (rc != 0)
			return rc;
	}

	*step = PCL_STEP_MAC;
	memset(out, 0, sizeof *out);
	rc = rte_eth_macaddr_get(port, &mac);
	if (rc != 0)
		return rc;
	memcpy(out->mac, mac.addr_bytes, sizeof out->mac);
	out->rx_offload_capa = info.rx_offload_capa;
	out->socket = socket;
	out->max_rx_queues = info.max_rx_queues;
	out->max_tx_queues = info.max_tx_queues;
	out->rx_descriptors = rx_descriptors;
	out->tx_descriptors = tx_descriptors;
	if (rte_eth_dev_get_mtu(port, &out->mtu) != 0)
		out->mtu = 0;
	return 0;
}
int pcl_port_start(uint16_t port) { return rte_eth_dev_start(port); }
int pcl_port_stop(uint16_t port) { return rte_eth_dev_stop(port); }
int pcl_port_close(uint16_t port) { return rte_eth_dev_close(port); }

/* `macs`: `count` addresses of six bytes each. */
int pcl_set_mc_addr_list(uint16_t port, const uint8_t *macs, uint32_t count)
{
	struct rte_ether_addr list[64];
	if (count > RTE_DIM(list))
		return -ENOSPC;
	for (uint32_t i = 0; i < count; i++)
		memcpy(list[i].addr_bytes, macs + 6 * i, RTE_ETHER_ADDR_LEN);
	return rte_eth_dev_set_mc_addr_list(port, list, count);
}
int pcl_allmulticast(uint16_t port, int on)
{
	return on ? rte_eth_allmulticast_enable(port) : rte_eth_allmulticast_disable(port);
}
int pcl_promiscuous(uint16_t port, int on)
{
	return on ? rte_eth_promiscuous_enable(port) : rte_eth_promiscuous_disable(port);
}

int pcl_port_link(uint16_t port, struct pcl_link *out)
{
	struct rte_eth_link link;
	memset(&link, 0, sizeof link);
	int rc = rte_eth_link_get_nowait(port, &link);
	*out = (struct pcl_link){ .speed_mbps = link.link_speed,
				  .up = link.link_status == RTE_ETH_LINK_UP,
				  .full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX };
	return rc;
}

int pcl_port_stats(uint16_t port, struct pcl_stats *out)
{
	struct rte_eth_stats s;
	int rc = rte_eth_stats_get(port, &s);
	if (rc != 0)
		return rc;
	*out = (struct pcl_stats){ s.ipackets, s.opackets, s.ibytes, s.obytes,
				   s.imissed, s.ierrors, s.oerrors, s.rx_nombuf };
	return 0;
}

/* Where drivers leave the RX timestamp of a packet, and the ol_flags bit that says it is there; both are dynamic. */
int pcl_timestamp_lookup(uint32_t *offset, uint64_t *flag)
{
	int field = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, NULL);
	if (field < 0)
		return -rte_errno;
	int bit = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, NULL);
	if (bit < 0)
		return -rte_errno;
	*offset = (uint32_t)field;
	*flag = UINT64_C(1) << bit;
	return 0;
}

/* --- Data path: inline functions of the headers, one call per burst ---------------------------------------------------- */

uint16_t pcl_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t room)
{
	return rte_eth_rx_burst(port, queue, mbufs, room);
}
uint16_t pcl_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}
void pcl_free_bulk(struct rte_mbuf **mbufs, uint32_t count) { rte_pktmbuf_free_bulk(mbufs, count); }
struct rte_mbuf *pcl_alloc(struct rte_mempool *pool) { return rte_pktmbuf_alloc(pool); }
void *pcl_append(struct rte_mbuf *mbuf, uint16_t size) { return rte_pktmbuf_append(mbuf, size); }
