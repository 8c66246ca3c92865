/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine may do with devices, as a manager is told: DeviceAllow= of
 * systemd.resource-control(5).
 * Zone: any.
 */
#pragma once

#include "manager/bus-message.h"

struct arena;
struct device_rules;

/*
 * Writes the property as one (sv). Devices are named by their numbers, as the host need not have
 * nodes for them, or by the name of the driver where all of its are meant.
 */
void scope_put_devices(struct arena *arena, const struct device_rules *rules,
		       struct bus_writer *writer);
