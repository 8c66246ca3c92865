/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of a hostile peer: a byte for length and descriptors, the step to hear, the content. */
#include "run/handshake.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/scope.h"
#include "fuzz.h"

#define DESCRIPTORS_MAX 7
#define LEVEL_OFFSET (2 * sizeof(int32_t))

static void send_packet(int fd, uint8_t shape, const uint8_t **data, size_t *size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
	} control = {0};
	static const int any_fd = STDERR_FILENO;
	uint8_t bytes[4096] = {0};
	struct iovec part = {bytes, (size_t)(shape >> 3) * 128 + 25};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};

	part.iov_len = part.iov_len < *size ? part.iov_len : *size;
	memcpy(bytes, *data, part.iov_len);
	*data += part.iov_len;
	*size -= part.iov_len;
	bytes[LEVEL_OFFSET] |= 0x80; /* beyond debug: nothing is printed */
	packet.msg_controllen = CMSG_SPACE(sizeof(int) * (shape & 7U));
	control.header.cmsg_len = CMSG_LEN(sizeof(int) * (shape & 7U));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	for (size_t i = 0; i < (shape & 7U); i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &any_fd, sizeof(int));
	(void)sendmsg(fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static uint64_t open_descriptors(void)
{
	uint64_t found = 0;

	for (int fd = 0; fd < 64; fd++)
		found |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int passengers[_PASSENGER_COUNT], r = 0;
	uint8_t step = input_byte(&data, &size);
	uint64_t before = open_descriptors();
	struct handshake near, far;

	log_set_level(LOG_SILENT);
	MUST(handshake_open(&near, &far) == 0);
	while (size > 1)
		send_packet(far.fd, input_byte(&data, &size), &data, &size);
	(void)close(far.fd);
	while (r == 0 && step & 0x80)
		r = handshake_overhear(&near);
	while (r != -EPIPE && !(step & 0x80)) {
		r = handshake_hear(&near, step & 7, passengers);
		for (size_t i = 0; r == 0 && i < _PASSENGER_COUNT; i++)
			scope_close(&passengers[i]);
	}
	(void)close(near.fd);
	MUST(open_descriptors() == before);
	return 0;
}
