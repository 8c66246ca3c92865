/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --property=NAME=VALUE as what the manager takes: name, type and value of one property
 * (systemd.resource-control(5), org.freedesktop.systemd1(5)).
 * Zone: any. Pure.
 */
#pragma once

#include "manager/bus-message.h"

/*
 * Writes "NAME=VALUE" as one (sv). -ENOENT for a name whose type we do not know, -EINVAL for a
 * value that it cannot have, *ret_expected then says what it can.
 */
int scope_put_property(struct bus_writer *writer, const char *assignment,
		       const char **ret_expected);

/* One (sv), for whoever knows the type. */
void scope_put_text(struct bus_writer *writer, const char *name, const char *value);
void scope_put_flag(struct bus_writer *writer, const char *name, bool value);
void scope_put_number(struct bus_writer *writer, const char *name, int value);      /* i */
void scope_put_amount(struct bus_writer *writer, const char *name, uint64_t value); /* t */
