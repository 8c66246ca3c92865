/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn login: a fresh login prompt in a running machine.
 * Zone: owing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "control/enter.h"
#include "run/join-copy.h"

static int login(char **words)
{
	auto_enter struct enter enter = ENTER_NONE;
	struct join_request request = {
		.machine = &enter.machine,
		.kind = JOIN_LOGIN,
		.mode = CONSOLE_INTERACTIVE,
	};

	TRY(enter_find(&enter, words[1]));
	TRY(join_hide(&request, words));
	request.has_systemd = enter.init && strcmp(enter.init, "systemd") == 0;
	note("Press ^] three times within a second to leave");
	return join(&enter.arena, &request);
}

int control_login(int argc, char **argv)
{
	int r;

	if (argc != 2 || *argv[1] == '-')
		r = refuse(EINVAL, "'login' needs the name of a machine");
	else
		r = login(argv);
	/* 125 is for what might be a command's status: a prompt has none. */
	return r < 0 || r == JOIN_FAILED ? EXIT_FAILURE : r;
}
