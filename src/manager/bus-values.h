/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of any type in a message of a bus, as an answer to a general question has them: read one
 * by one, or passed over, with every length looked at.
 * Zone: any. Pure.
 */
#pragma once

#include "manager/bus-message.h"

/* A number of the fixed type 'type': y b n q i u x t h, signed ones extended. 0 or -EPROTO. */
int bus_get_number(struct bus_reader *reader, char type, int64_t *ret);

/*
 * An array whose elements are aligned to 'alignment': '*ret' reads them up to their end, 'reader'
 * goes on behind them. 0 or -EPROTO.
 */
int bus_get_array(struct bus_reader *reader, size_t alignment, struct bus_reader *ret);

/* True while there is something left to read. */
bool bus_has_more(const struct bus_reader *reader);

/* Passes over the first complete type of '*signature', which then begins behind it. */
int bus_skip(struct bus_reader *reader, const char **signature);
