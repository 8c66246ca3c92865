/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SipHash-2-4 after its paper, with the words of the state a to d for v0 to v3.
 * Zone: any. Pure.
 */
#include "net/siphash.h"

struct state {
	uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t read_word(const uint8_t *bytes, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static void mix(struct state *s, unsigned int rounds)
{
	while (rounds-- > 0) {
		s->a += s->b;
		s->b = rotate(s->b, 13) ^ s->a;
		s->a = rotate(s->a, 32);
		s->c += s->d;
		s->d = rotate(s->d, 16) ^ s->c;
		s->a += s->d;
		s->d = rotate(s->d, 21) ^ s->a;
		s->c += s->b;
		s->b = rotate(s->b, 17) ^ s->c;
		s->c = rotate(s->c, 32);
	}
}

static void absorb(struct state *s, uint64_t word)
{
	s->d ^= word;
	mix(s, 2);
	s->a ^= word;
}

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length)
{
	uint64_t low = read_word(key, 8), high = read_word(key + 8, 8);
	const uint8_t *rest = bytes;
	struct state s = {
		low ^ UINT64_C(0x736f6d6570736575),
		high ^ UINT64_C(0x646f72616e646f6d),
		low ^ UINT64_C(0x6c7967656e657261),
		high ^ UINT64_C(0x7465646279746573),
	};
	size_t left = length;

	for (; left >= 8; left -= 8, rest += 8)
		absorb(&s, read_word(rest, 8));
	/* The last word ends with the length, as its lowest byte. */
	absorb(&s, read_word(rest, left) | (uint64_t)length << 56);
	s.c ^= 0xff;
	mix(&s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}
