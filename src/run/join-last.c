/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes down what the program of the last step has to do, seals it, and becomes it.
 * Zone: free for making and explaining, doomed for the step.
 */
#include "run/join-last.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "last-step-program.h"
#include "run/sealed.h"

#define PAGE_BYTES 4096
#define IMAGE_BYTES (sizeof(last_step_program) + sizeof(struct last_step))

static_assert(sizeof(last_step_program) % PAGE_BYTES == 0,
	      "What is written down begins with a page");

int join_last_make(void)
{
	auto_close int fd = sealed_make("nspawn-last-step");
	int r;

	if (fd < 0) {
		r = fail(fd, "Cannot make a file in memory for the last step into the machine");
		if (fd == -EACCES)
			hint("With vm.memfd_noexec at 2 nothing in memory may run: 'sysctl vm.memfd_noexec=1' lets us");
		return r;
	}
	/* Holes are what nobody wrote to. */
	if (ftruncate(fd, IMAGE_BYTES) < 0 ||
	    write(fd, last_step_program, sizeof(last_step_program)) !=
		    (ssize_t)sizeof(last_step_program))
		return fail(-EIO,
			    "Cannot make a file in memory for the last step into the machine");
	return steal_fd(fd);
}

static int write_down(const struct join_last *last, const char *path)
{
	struct last_step *step = mmap(NULL, sizeof(*step), PROT_READ | PROT_WRITE, MAP_SHARED,
				      last->image_fd, sizeof(last_step_program));
	size_t length;

	if (step == MAP_FAILED)
		return -errno;
	step->step_joined = HANDSHAKE_JOINED;
	step->step_failed = HANDSHAKE_FAILED;
	step->handshake_fd = last->handshake_fd;
	step->master_fd = last->master_fd;
	step->terminal = last->terminal;
	step->mask_alone = UINT32_C(1) << PASSENGER_PIDFD;
	step->mask_master = step->mask_alone | UINT32_C(1) << PASSENGER_CONSOLE;
	step->filter_length = last->filter ? (uint32_t)last->filter_length : 0;
	length = strlen(path) + 1;
	memcpy(step->path, path, length);
	step->told_bytes = (uint32_t)(length < HANDSHAKE_TEXT_MAX ? length : HANDSHAKE_TEXT_MAX);
	for (size_t i = 0; i < step->filter_length; i++)
		step->filter[i] = last->filter[i];
	/* While it can be written to by anybody it cannot be sealed. */
	return munmap(step, sizeof(*step)) < 0 ? -errno : 0;
}

int join_last_execute(void *userdata, const char *path, char *const *words,
		      char *const *environment)
{
	const struct join_last *last = userdata;

	if (strlen(path) >= sizeof(((struct last_step *)NULL)->path) ||
	    (last->filter && last->filter_length > BPF_MAXINSNS))
		return -E2BIG;
	TRY(write_down(last, path));
	TRY(sealed_close(last->image_fd));
	if (fcntl(last->handshake_fd, F_SETFD, 0) < 0 ||
	    (last->master_fd >= 0 && fcntl(last->master_fd, F_SETFD, 0) < 0))
		return -errno;
	(void)execveat(last->image_fd, "", words, environment, AT_EMPTY_PATH);
	return -errno;
}

int join_last_explain(const struct handshake_fault *fault, const char *machine)
{
	switch ((enum last_step_fault)fault->at) {
	case LAST_STEP_CLONE:
		return fault->error == -ENOMEM
			       ? refuse(ESRCH, "Machine '%s' has just ended", machine)
			       : fail(fault->error, "Cannot make a process in machine '%s'",
				      machine);
	case LAST_STEP_SESSION:
		return fail(fault->error, "Cannot start a session for the command");
	case LAST_STEP_TERMINAL:
		return fail(fault->error, "Cannot make the pseudo-terminal the controlling one");
	case LAST_STEP_TIE:
		return fail(fault->error, "Cannot tie the command's life to ours");
	case LAST_STEP_FILTER:
		return fail(fault->error, "Cannot load the system call filter");
	case LAST_STEP_EXECUTE:
		break;
	}
	return fault->error;
}
