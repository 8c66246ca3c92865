/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings files: what their lines say, where they are looked for, and which traps they hold.
 */
#include "config/settings-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "config/config.h"
#include "config/settings-text.h"

static struct captured captured;

/* What was said, as "LINE:Section.Key=VALUE" with "+=" where it adds, separated by '|'. */
static const char *tell(struct arena *arena, const struct said_list *list)
{
	char *all = arena_copy(arena, "");

	for (size_t i = 0; i < list->count; i++) {
		const struct said *said = &list->items[i];

		CHECK(said->origin == ORIGIN_FILE);
		all = arena_format(arena, "%s%s%u:%s%s=%s", all, i > 0 ? "|" : "", said->line,
				   setting_rows[said->setting].key, said->adds ? "+" : "",
				   said->value);
	}
	return all;
}

static void check_bytes(const char *text, size_t length, const char *expected, const char *warnings)
{
	static const struct settings_source source = {"F", true};
	auto_arena struct arena arena = {0};
	struct said_list list = {0};

	capture_start(&captured);
	settings_text_parse(&arena, &source, text, length, &list);
	CHECK_TEXT(tell(&arena, &list), expected);
	CHECK_TEXT(captured.all, warnings);
	CHECK(captured.failures == 0);
}

static void check_text(const char *text, const char *expected, const char *warnings)
{
	check_bytes(text, strlen(text), expected, warnings);
}

static void test_syntax(void)
{
	check_text("", "", "");
	check_text("\n\n", "", "");
	check_text("[Exec]", "", "");
	check_text("[Exec]\n[Files]\n[Network]\n", "", "");
	check_text("[Exec]\nBoot=yes", "2:Exec.Boot=yes", "");
	check_text("\xef\xbb\xbf[Exec]\r\nBoot=yes\r\n", "2:Exec.Boot=yes", "");
	check_text("# one\n ; two\n  [Exec]  \n\t Boot \t=\t yes \t\n#Boot=no\n", "4:Exec.Boot=yes",
		   "");
	check_text("[Exec]\nUser=a=b\nHostname=\n", "2:Exec.User=a=b|3:Exec.Hostname=", "");
	check_text("[Exec]\nEnvironment+=A=1\nEnvironment +=B=2\nEnvironment + = C=3\n",
		   "2:Exec.Environment+=A=1|3:Exec.Environment+=B=2",
		   "F:4: There is no key 'Environment +' in section '[Exec]', ignoring it\n");
	check_text("[Exec]\nEnvironment+=\n", "", "");
	check_text("[Exec]\nBoot=yes\n[Files]\nBind=/a\n[Exec]\nUser=u\n",
		   "2:Exec.Boot=yes|4:Files.Bind=/a|6:Exec.User=u", "");
	check_text("[X-Other]\nBoot=yes\nanything\n[Exec]\nX-Mine=1\nBoot=no\n", "6:Exec.Boot=no",
		   "");
}

static void test_continuation(void)
{
	check_text("[Exec]\nParameters=a \\\nb\\\n  c\nBoot=no\n",
		   "2:Exec.Parameters=a  b   c|5:Exec.Boot=no", "");
	check_text("[Exec]\nParameters=a\\\n# not this\n ; nor this\nb\nBoot=no\n",
		   "2:Exec.Parameters=a b|6:Exec.Boot=no", "");
	/* A backslash that is taken back, one at the end of all, one in a comment. */
	check_text("[Exec]\nParameters=a\\\\\nBoot=no\n", "2:Exec.Parameters=a\\\\|3:Exec.Boot=no",
		   "");
	check_text("[Exec]\nUser=a\\", "2:Exec.User=a", "");
	check_text("[Exec]\nUser=a\\\n", "2:Exec.User=a", "");
	check_text("# x\\\n[Exec]\nUser=a\\\r\nb\n", "3:Exec.User=a b", "");
}

static void test_refused_lines(void)
{
	check_text("Boot=yes\n", "", "F:1: Key 'Boot' is in no section, ignoring it\n");
	check_text("[Exec]\nboot=yes\n", "",
		   "F:2: There is no key 'boot' in section '[Exec]', ignoring it\n");
	check_text("[Exec]\nBind=/x\n", "",
		   "F:2: Key 'Bind' belongs into section '[Files]', ignoring it\n");
	check_text("[Exec]\n=x\n", "",
		   "F:2: There is no key '' in section '[Exec]', ignoring it\n");
	check_text("[Exec]\nnonsense\nBoot=no\n", "3:Exec.Boot=no",
		   "F:2: 'nonsense' is neither a section nor KEY=VALUE, ignoring it\n");
	check_text("[Unit]\nBoot=yes\nnonsense\n[Exec]\nBoot=no\n", "5:Exec.Boot=no",
		   "F:1: There is no section '[Unit]', ignoring all that is in it\n");
	check_text("[exec]\nBoot=yes\n", "",
		   "F:1: There is no section '[exec]', ignoring all that is in it\n");
	check_text("[Exec\nBoot=yes\n", "",
		   "F:1: '[Exec' is no section, ignoring all up to the next one\n");
	check_text("[\n[]\n", "",
		   "F:1: '[' is no section, ignoring all up to the next one\n"
		   "F:2: There is no section '[]', ignoring all that is in it\n");
	check_text("[Exec]\nBoot+=yes\n", "",
		   "F:2: Key 'Exec.Boot' has one value, nothing can be added to it, ignoring it\n");
	check_text("[Exec]\nExec.Boot=yes\n", "",
		   "F:2: There is no key 'Exec.Boot' in section '[Exec]', ignoring it\n");
	/* A key that would reach into another section. */
	check_text("[Exec]\nBoot=yes\n[X-Exec]\n", "2:Exec.Boot=yes", "");
}

static void test_bytes(void)
{
	static const char controls[] = ": The line has control characters in it, ignoring it\n";
	static const char nul[] = "[Exec]\nUser=a\0b\nBoot=no\n\0[Files]\n";
	char expected[200];

	(void)snprintf(expected, sizeof(expected), "F:2%sF:4%s", controls, controls);
	check_bytes(nul, sizeof(nul) - 1, "3:Exec.Boot=no", expected);
	(void)snprintf(expected, sizeof(expected), "F:2%s", controls);
	check_text("[Exec]\nUser=a\x1b[1m\n", "", expected);
	check_text("[Exec]\nUser=a\x7f\n", "", expected);
	check_text("[Exec]\nUser=a\rb\n", "", expected);
	check_text("[Exec]\nUser=a\xc2\x9b\n", "", expected);
	check_text("[Exec]\nUser=a\tb\n", "2:Exec.User=a\tb", "");
	check_text("[Exec]\nUser=\xe9\n", "", "F:2: The line is not UTF-8, ignoring it\n");
	check_text("[Files]\nBind=/\xc3\xa9\n", "2:Files.Bind=/\xc3\xa9", "");
}

/* --- Where --- */

/* Three directories of our own in place of the real ones; the last is not trusted. */
static char home[] = "/tmp/test-settings-file-XXXXXX";
static char paths[3][64];
static struct settings_place places[3];

static void in_place(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s/%s", home, path);
	file = fopen(full, "we");
	CHECK(file != NULL);
	if (!file)
		return;
	(void)fputs(text, file);
	(void)fclose(file);
}

static const char *at(const char *path)
{
	static char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", home, path);
	return full;
}

static void clean(void)
{
	char command[100];

	(void)snprintf(command, sizeof(command), "rm -rf %s/*/*", home);
	CHECK(system(command) == 0);
}

/* Reads the files of 'm' and compares what they say; the home's path is "~" in messages. */
static int check_places(const char *expected, const char *messages)
{
	auto_arena struct arena arena = {0};
	struct said_list list = {0};
	char shown[sizeof(captured.all)], *end = shown;
	int r;

	capture_start(&captured);
	r = settings_files_read_from(&arena, places, 3, "m", &list);
	for (const char *c = captured.all; *c; c++)
		if (strncmp(c, home, strlen(home)) == 0) {
			*end++ = '~';
			c += strlen(home) - 1;
		} else {
			*end++ = *c;
		}
	*end = '\0';
	if (r == 0)
		CHECK_TEXT(tell(&arena, &list), expected);
	CHECK_TEXT(shown, messages);
	CHECK((r < 0) == (captured.failures == 1));
	for (size_t i = 0; r == 0 && i < list.count; i++)
		CHECK(list.items[i].is_trusted == (strstr(list.items[i].file, "/2/") == NULL));
	return r;
}

static void test_places(void)
{
	CHECK(check_places("", "") == 0);
	in_place("2/m.nspawn", "[Exec]\nUser=c\n");
	CHECK(check_places("2:Exec.User=c", "") == 0);
	in_place("1/m.nspawn", "[Exec]\nUser=b\n");
	CHECK(check_places("2:Exec.User=b", "") == 0);
	in_place("0/m.nspawn", "[Exec]\nUser=a\n");
	in_place("0/n.nspawn", "[Exec]\nUser=other\n");
	CHECK(check_places("2:Exec.User=a", "") == 0);
	/* One that says nothing still hides the others. */
	in_place("0/m.nspawn", "");
	CHECK(check_places("", "") == 0);
	CHECK(unlink(at("0/m.nspawn")) == 0 && symlink("/dev/null", at("0/m.nspawn")) == 0);
	CHECK(check_places("", "") == 0);
	clean();
}

static void test_drop_ins(void)
{
	for (int i = 0; i < 3; i++) {
		char path[40];

		(void)snprintf(path, sizeof(path), "%d/m.nspawn.d", i);
		CHECK(mkdir(at(path), 0755) == 0);
	}
	in_place("2/m.nspawn", "[Exec]\nUser=main\n");
	in_place("0/m.nspawn.d/50-b.conf", "[Exec]\nUser=0b\n");
	in_place("1/m.nspawn.d/50-b.conf", "[Exec]\nUser=1b\n");
	in_place("1/m.nspawn.d/60-c.conf", "[Exec]\nUser=1c\n");
	in_place("2/m.nspawn.d/60-c.conf", "[Exec]\nUser=2c\n");
	in_place("2/m.nspawn.d/10-a.conf", "[Exec]\nUser=2a\n");
	in_place("2/m.nspawn.d/90-z.conf", "[Exec]\nUser=2z\n");
	in_place("1/m.nspawn.d/90-z.conf", "");
	in_place("1/m.nspawn.d/.hidden.conf", "[Exec]\nUser=x\n");
	in_place("1/m.nspawn.d/.conf", "[Exec]\nUser=x\n");
	in_place("1/m.nspawn.d/70-x.conf~", "[Exec]\nUser=x\n");
	CHECK(check_places("2:Exec.User=main|2:Exec.User=2a|2:Exec.User=0b|2:Exec.User=1c", "") ==
	      0);
	CHECK(unlink(at("2/m.nspawn")) == 0);
	CHECK(symlink("/dev/null", at("0/m.nspawn.d/10-a.conf")) == 0);
	CHECK(check_places("2:Exec.User=0b|2:Exec.User=1c", "") == 0);
	clean();
}

/* What is warned of comes in the order of the names, not of the directory. */
static void test_order_of_warnings(void)
{
	static const char order[] = "52703614";
	char path[60], expected[1000] = "";
	size_t used = 0;

	CHECK(mkdir(at("1/m.nspawn.d"), 0755) == 0);
	for (const char *c = order; *c; c++) {
		(void)snprintf(path, sizeof(path), "1/m.nspawn.d/%c.conf", *c);
		in_place(path, "x");
	}
	for (int i = 0; i < 8; i++)
		used += (size_t)snprintf(
			expected + used, sizeof(expected) - used,
			"~/1/m.nspawn.d/%d.conf:1: 'x' is neither a section nor KEY=VALUE, ignoring it\n",
			i);
	CHECK(check_places("", expected) == 0);
	clean();
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
}

/* What is no file beside the tree is ignored, and a failure where the administrator's files are. */
static void test_traps(void)
{
	static const char ignored[] =
		"The settings file '~/2/m.nspawn' is no regular file, ignoring it\n";
	static const char refused[] = "The settings file '~/0/m.nspawn' is no regular file\n";

	in_place("1/secret", "[Exec]\nUser=secret\n");
	CHECK(symlink("../1/secret", at("2/m.nspawn")) == 0);
	CHECK(check_places("", ignored) == 0);
	CHECK(unlink(at("2/m.nspawn")) == 0 && symlink("/dev/null", at("2/m.nspawn")) == 0);
	CHECK(check_places("", ignored) == 0);
	CHECK(unlink(at("2/m.nspawn")) == 0 && mkfifo(at("2/m.nspawn"), 0644) == 0);
	CHECK(check_places("", ignored) == 0);
	CHECK(unlink(at("2/m.nspawn")) == 0 && mkdir(at("2/m.nspawn"), 0755) == 0);
	CHECK(check_places("", ignored) == 0);
	CHECK(rmdir(at("2/m.nspawn")) == 0);
	make_socket(at("2/m.nspawn"));
	CHECK(check_places("", ignored) == 0);
	CHECK(unlink(at("2/m.nspawn")) == 0);

	/* The administrator's links are followed. */
	CHECK(symlink("../1/secret", at("0/m.nspawn")) == 0);
	CHECK(check_places("2:Exec.User=secret", "") == 0);
	CHECK(unlink(at("0/m.nspawn")) == 0 && mkfifo(at("0/m.nspawn"), 0644) == 0);
	CHECK(check_places("", refused) == -EINVAL);
	CHECK(unlink(at("0/m.nspawn")) == 0 && mkdir(at("0/m.nspawn"), 0755) == 0);
	CHECK(check_places("", refused) == -EINVAL);
	CHECK(rmdir(at("0/m.nspawn")) == 0);
	CHECK(symlink("m.nspawn", at("0/m.nspawn")) == 0);
	CHECK(check_places("", refused) == -EINVAL);
	clean();
}

static void test_directory_traps(void)
{
	CHECK(mkdir(at("1/m.nspawn.d"), 0755) == 0);
	in_place("1/m.nspawn.d/a.conf", "[Exec]\nUser=secret\n");
	CHECK(rename(at("1/m.nspawn.d"), "/dev/null/x") < 0);
	CHECK(symlink("../1/m.nspawn.d", at("2/m.nspawn.d")) == 0);
	CHECK(check_places("2:Exec.User=secret",
			   "'~/2/m.nspawn.d' is no directory of settings files, ignoring it\n") ==
	      0);
	CHECK(unlink(at("2/m.nspawn.d")) == 0);
	in_place("2/m.nspawn.d", "");
	CHECK(check_places("2:Exec.User=secret",
			   "'~/2/m.nspawn.d' is no directory of settings files, ignoring it\n") ==
	      0);
	in_place("0/m.nspawn.d", "");
	CHECK(check_places(
		      "",
		      "Cannot open the settings files in '~/0/m.nspawn.d': Not a directory\n") ==
	      -ENOTDIR);
	clean();
}

static void fill(const char *path, size_t bytes)
{
	CHECK(truncate(at(path), (off_t)bytes) == 0);
}

static void test_sizes(void)
{
	char name[60];

	in_place("2/m.nspawn", "");
	fill("2/m.nspawn", 64 * 1024);
	CHECK(check_places("", "~/2/m.nspawn:1: The line has control characters in it, "
			       "ignoring it\n") == 0);
	fill("2/m.nspawn", 64 * 1024 + 1);
	CHECK(check_places("", "Cannot use the settings file '~/2/m.nspawn', ignoring it: "
			       "File too large\n") == 0);
	in_place("0/m.nspawn", "");
	fill("0/m.nspawn", 1024 * 1024 + 1);
	CHECK(check_places("", "Cannot read the settings file '~/0/m.nspawn': File too large\n") ==
	      -EFBIG);
	clean();
	CHECK(mkdir(at("2/m.nspawn.d"), 0755) == 0);
	for (int i = 0; i < 17; i++) {
		(void)snprintf(name, sizeof(name), "2/m.nspawn.d/%03d.conf", i);
		in_place(name, i == 0 ? "[Exec]\nUser=u\n" : "");
	}
	CHECK(check_places("", "Cannot use the settings file '~/2/m.nspawn.d', ignoring it: "
			       "Argument list too long\n") == 0);
	CHECK(unlink(at("2/m.nspawn.d/016.conf")) == 0);
	CHECK(check_places("2:Exec.User=u", "") == 0);
	clean();
}

/* --- The real places --- */

static void test_modes(void)
{
	static const char *const trusted[] = {"/etc/systemd/nspawn", "/run/systemd/nspawn", NULL};
	struct config config = {.settings = SETTINGS_NO};
	struct said_list list = {0};
	char tree[100];

	(void)snprintf(tree, sizeof(tree), "%s/2/m", home);
	in_place("2/m.nspawn", "[Exec]\nUser=u\n");
	CHECK(settings_files_read(&config, trusted, tree, "m", &list) == 0 && list.count == 0);
	config.settings = SETTINGS_YES;
	CHECK(settings_files_read(&config, trusted, tree, "m", &list) == 0 && list.count == 1);
	CHECK(list.count == 1 && !list.items[0].is_trusted);
	config.settings = SETTINGS_OVERRIDE;
	CHECK(settings_files_read(&config, trusted, tree, "m", &list) == 0 && list.count == 2);
	CHECK(list.count == 2 && !list.items[1].is_trusted);
	config.settings = SETTINGS_TRUSTED;
	CHECK(settings_files_read(&config, trusted, tree, "m", &list) == 0 && list.count == 3);
	CHECK(list.count == 3 && list.items[2].is_trusted);
	/* Nothing is beside the root of the host. */
	CHECK(settings_files_read(&config, trusted, "/", "m", &list) == 0 && list.count == 3);
	CHECK(settings_files_read(&config, trusted, "/no-such-tree", "m", &list) == 0 &&
	      list.count == 3);
	arena_done(&config.arena);
	clean();
}

int main(void)
{
	test_syntax();
	test_continuation();
	test_refused_lines();
	test_bytes();
	if (!mkdtemp(home))
		return 1;
	for (int i = 0; i < 3; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%d", home, i);
		CHECK(mkdir(paths[i], 0755) == 0);
		places[i] = (struct settings_place){paths[i], i < 2};
	}
	test_places();
	test_drop_ins();
	test_order_of_warnings();
	test_traps();
	test_directory_traps();
	test_sizes();
	test_modes();
	for (int i = 0; i < 3; i++)
		CHECK(rmdir(paths[i]) == 0);
	CHECK(rmdir(home) == 0);
	return check_result();
}
