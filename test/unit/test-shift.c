/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of ids when a tree is shifted.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "config/config.h"
#include "ids/shift.h"

static enum shift_state state(uint32_t uid, uint32_t gid, uint32_t expected)
{
	uint32_t shift = 1;
	enum shift_state found = shift_state(uid, gid, &shift);

	CHECK(shift == expected);
	return found;
}

static void test_state(void)
{
	CHECK(state(0, 0, 0) == SHIFT_STATE_PLAIN);
	CHECK(state(1000, 65535, 0) == SHIFT_STATE_PLAIN);
	CHECK(state(0x80000, 0x80000, 0x80000) == SHIFT_STATE_SHIFTED);
	CHECK(state(0x80000 + 7, 0x8FFFF, 0x80000) == SHIFT_STATE_SHIFTED);
	CHECK(state(0x80000, 0x90000, 0) == SHIFT_STATE_DIFFERENT);
	CHECK(state(0, 0x90000, 0) == SHIFT_STATE_DIFFERENT);
	/* Never taken for a shifted tree, whichever of the two says it. */
	CHECK(state(0xFFFE0000, 0xFFFE0000, 0) == SHIFT_STATE_BUSY);
	CHECK(state(0xFFFE0007, 0, 0) == SHIFT_STATE_BUSY);
	CHECK(state(0x80000, 0xFFFE0000, 0) == SHIFT_STATE_BUSY);
}

static void test_id(void)
{
	CHECK(shift_id(0x80000, 0) == 0x80000);
	CHECK(shift_id(0x80000, 65535) == 0x8FFFF);
	CHECK(shift_id(0x80000, shift_id(0x80000, 33)) == 0x80000 + 33);
	CHECK(shift_id(0, 0x80000 + 33) == 33);
	CHECK(shift_id(0x80000, 0xFFFE0007) == 0x80007);
}

static void test_validity(void)
{
	CHECK(shift_is_valid(0) && shift_is_valid(65536) && shift_is_valid(USERS_SHIFT_LAST));
	CHECK(!shift_is_valid(1) && !shift_is_valid(65535) && !shift_is_valid(65537));
	CHECK(!shift_is_valid(SHIFT_BUSY) && !shift_is_valid(0xFFFF0000));
}

static const unsigned char list[] = {
	2,  0, 0, 0,                         /* version */
	1,  0, 6, 0, 0xFF, 0xFF, 0xFF, 0xFF, /* the owner */
	2,  0, 4, 0, 0xE8, 3,    0,    0,    /* user 1000 */
	4,  0, 4, 0, 0xFF, 0xFF, 0xFF, 0xFF, /* the group */
	8,  0, 7, 0, 50,   0,    0,    0,    /* group 50 */
	16, 0, 7, 0, 0xFF, 0xFF, 0xFF, 0xFF, /* mask */
	32, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, /* others */
};

static void test_access_lists(void)
{
	unsigned char value[sizeof(list)], expected[sizeof(list)];

	memcpy(value, list, sizeof(list));
	memcpy(expected, list, sizeof(list));
	expected[4 + 8 + 6] = 8;     /* 0x803E8 */
	expected[4 + 3 * 8 + 6] = 8; /* 0x80032 */
	CHECK(shift_acl(0x80000, value, sizeof(value)) == 1);
	CHECK(memcmp(value, expected, sizeof(value)) == 0);
	CHECK(shift_acl(0x80000, value, sizeof(value)) == 0);
	CHECK(shift_acl(0, value, sizeof(value)) == 1);
	CHECK(memcmp(value, list, sizeof(value)) == 0);
	/* What is none is not touched. */
	CHECK(shift_acl(0x80000, value, sizeof(value) - 1) == -EINVAL);
	CHECK(shift_acl(0x80000, value, 3) == -EINVAL);
	value[0] = 1;
	CHECK(shift_acl(0x80000, value, sizeof(value)) == -EINVAL);
	value[0] = 2;
	CHECK(memcmp(value, list, sizeof(value)) == 0);
	CHECK(shift_acl(0x80000, value, 4) == 0);
}

static void test_file_capabilities(void)
{
	static const unsigned char second[20] = {1, 0, 0, 2, 0, 0x30};
	unsigned char value[24] = {0};
	size_t size = sizeof(second);

	/* Those of the host's root count in every namespace, and have no id. */
	memcpy(value, second, sizeof(second));
	CHECK(shift_file_capabilities(0x80000, value, &size) == 0 && size == 20);
	CHECK(memcmp(value, second, sizeof(second)) == 0);

	/* Those of a namespace's root move with it, and become the host's when it does. */
	value[3] = 3;
	value[20 + 2] = 9; /* 0x90000 */
	size = 24;
	CHECK(shift_file_capabilities(0x80000, value, &size) == 1 && size == 24);
	CHECK(value[3] == 3 && value[22] == 8 && value[5] == 0x30);
	CHECK(shift_file_capabilities(0x80000, value, &size) == 0 && size == 24);
	CHECK(shift_file_capabilities(0, value, &size) == 1 && size == 20);
	CHECK(memcmp(value, second, sizeof(second)) == 0);

	size = 3;
	CHECK(shift_file_capabilities(0, value, &size) == -EINVAL);
	size = 25;
	CHECK(shift_file_capabilities(0, value, &size) == -EINVAL);
	value[3] = 3;
	size = 20;
	CHECK(shift_file_capabilities(0, value, &size) == -EINVAL);
}

int main(void)
{
	test_state();
	test_id();
	test_validity();
	test_access_lists();
	test_file_capabilities();
	return check_result();
}
