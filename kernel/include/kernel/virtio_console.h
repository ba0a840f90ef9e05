/*
 * virtio-serial: a virtio 1.x console device with named ports, for bulk. One device, up to
 * VSERIAL_PORTS ports; the inspector uses the one named `org.vitrine.inspect`.
 *
 * Everything the device says is bounded before use: a broken or hostile host ends in an error in
 * the log and a dead port, never in a wild access.
 */
#ifndef KERNEL_VIRTIO_CONSOLE_H
#define KERNEL_VIRTIO_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSERIAL_PORTS	     8u
#define VSERIAL_WRITE_MAX    65536u /* bytes of one descriptor chain */
#define VSERIAL_RX_BUFFERS   16u
#define VSERIAL_RX_BYTES     4096u /* of each receive buffer */
#define VSERIAL_NAME_INSPECT "org.vitrine.inspect"

struct vserial_port;

struct vserial_stats {
	uint64_t rx_bytes, tx_bytes;
	uint64_t rx_buffers, tx_chains;
	uint64_t device_faults;	 /* impossible values from the device, refused */
	uint64_t opened, closed; /* by the host */
};

/* Finds the device and brings it up; false when the machine has none (said in the log). Needs
 * memory, interrupts and PCI. */
bool vserial_init(void);

/* The port with this name; NULL when the host has none. The pointer lives forever. The names
 * arrive shortly after vserial_init(): it waits for them (at most 100 ms). */
struct vserial_port *vserial_port(const char *name);

/* Whether the host side is connected now. */
bool vserial_connected(const struct vserial_port *port);

/*
 * Sends up to len bytes: copies them into send buffers of up to VSERIAL_WRITE_MAX each. Returns
 * how many were taken, 0 when all buffers are on their way or nobody is connected. Never waits.
 * Any context but NMI.
 */
size_t vserial_write(struct vserial_port *port, const void *data, size_t len);
/*
 * The same without the copy: vserial_reserve gives the next free send buffer (VSERIAL_WRITE_MAX
 * bytes; NULL when there is none), vserial_commit sends its first len bytes (0: gives it back).
 * One reservation at a time per port.
 */
void *vserial_reserve(struct vserial_port *port);
bool vserial_commit(struct vserial_port *port, size_t len);

/* Whether the host has taken everything that was sent. vserial_poll() brings this on. */
bool vserial_idle(const struct vserial_port *port);

/* Takes up to cap received bytes. Never waits. Any context but NMI. */
size_t vserial_read(struct vserial_port *port, void *data, size_t cap);

/* Called when bytes arrived, a send buffer came free, or the host connected or left: in the
 * interrupt, or in whoever just called here. It must not sleep and not call back. */
void vserial_set_wakeup(struct vserial_port *port, void (*wakeup)(void *context), void *context);

/* Does by polling what the interrupt would do. Any context, panic too. */
void vserial_poll(void);

void vserial_get_stats(const struct vserial_port *port, struct vserial_stats *stats);

#endif
