/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SipHash-2-4, a short keyed hash (Aumasson and Bernstein, 2012): names and addresses of links that
 * stay the same from start to start come from it.
 * Zone: any. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length);
