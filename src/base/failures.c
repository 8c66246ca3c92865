/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The identifier of each sentence that fail() and refuse() can say. A new sentence takes the
 * identifier that is there if a program would do the same about it. A test compares the rows with
 * the calls and with nspawn-errors(7).
 * Zone: any.
 */
#include "base/failures.h"

#include <stddef.h>
#include <string.h>

#include "base/scope.h"

/*
 * Arrays, not pointers: those would have to be relocated at each start, and few want this table.
 * Rows are sorted by identifier within their area.
 */
/* clang-format off */
static const struct {
	char identifier[FAILURE_IDENTIFIER_MAX];
	char format[160];
} rows[] = {
	/* --- Settings --- */
	{"directory-unknown", "Cannot tell where '%s' of '%s' is: no current directory"},
	{"not-available", "%s is not available yet"},
	{"not-available", "%s is not available yet: a machine of an ordinary user takes a user namespace"},
	{"not-available", "%s with the value '%s' is not available yet"},
	{"not-available", "Image '%s' is a %s; only directory trees are available yet"},
	{"not-available", "Without '%s' the machine would use the host's network: not starting it"},
	{"option-ambiguous", "Option '--%.*s' is ambiguous"},
	{"option-unknown", "unrecognized option '%s%.*s'"},
	{"settings-conflict", "%s"},
	{"settings-conflict", "%s cannot be combined with '%s'"},
	{"settings-conflict", "%s names the credential '%s' a second time"},
	{"settings-conflict", "Option '--ambient-capability' asks for %s, which the payload does not retain"},
	{"settings-file-open", "Cannot open the settings file '%s'"},
	{"settings-file-open", "Cannot open the settings files in '%s'"},
	{"settings-file-open", "Cannot read the settings file '%s'"},
	{"settings-file-open", "The settings file '%s' is no regular file"},
	{"value-invalid", "%s cannot be '%s' for %s: the soft limit is above the hard one"},
	{"value-invalid", "%s cannot be '%s': it is in '%s', which the kernel fills"},
	{"value-invalid", "%s cannot call a credential '%.300s'"},
	{"value-invalid", "%s cannot cover '/': nothing could run"},
	{"value-invalid", "%s cannot use '%s': the path in the container has '..' in it"},
	{"value-invalid", "%s can have no directory but the top one empty, not '%s'"},
	{"value-invalid", "%s does not know the address family '%s'"},
	{"value-invalid", "%s does not know the capability '%s'"},
	{"value-invalid", "%s does not know the mount option '%s'"},
	{"value-invalid", "%s does not know the value '%s'"},
	{"value-invalid", "%s does not take 'all': name the capabilities"},
	{"value-invalid", "%s has a quote that does not end, or an escape that is none, in '%s'"},
	{"value-invalid", "%s has an unknown escape in the value of '%s'"},
	{"value-invalid", "%s needs an absolute path after '+', not '%s'"},
	{"value-invalid", "%s needs an absolute path in a file, as '%s' could be anywhere"},
	{"value-invalid", "%s needs an absolute path in the container, not '%s'"},
	{"value-invalid", "%s needs an absolute path in the container, which '%s' of '%s' is not"},
	{"value-invalid", "%s takes %s or 'infinity' for %s, not '%s'"},
	{"value-invalid", "%s takes %s, and there is no colon in what it was given"},
	{"value-invalid", "%s takes %s, not '%s'"},
	{"value-invalid", "%s takes NAME=SOFT[:HARD], and '%s' has no '='"},
	{"value-invalid", "%s takes a path with a slash or the name of a credential of our own, not '%s'"},
	{"value-invalid", "%s takes names of system calls and @groups between blanks, not '%s'"},
	{"value-invalid", "Option '%s' has one value, nothing can be added to it"},
	{"value-invalid", "The system call filter names '%s', which is neither a system call nor a group"},
	{"value-invalid", "Variable '$%s' takes the name of a service, not '%s'"},
	{"value-invalid", "Variable '$%s' takes yes or no, not '%s'"},
	{"value-invalid", "Variable '$%s' takes yes, no or 'network', not '%s'"},
	{"value-invalid", "Without '%s' the machine's root would be the host's: not starting it"},
	{"value-missing", "%s needs a value that is not empty"},
	{"value-missing", "Option '%s' requires an argument"},
	{"value-unexpected", "Option '%s' takes no argument, but got '%s'"},

	/* --- Host --- */
	{"host-memory", "Cannot go on without more memory"},
	{"kernel-old", "This kernel is Linux %s; nspawn needs %d.%d or newer"},
	{"output-write", "Cannot write to standard output"},
	{"privileges-missing", "Only root can map the owners of '%s'"},
	{"privileges-missing", "Removing what machine '%s' left behind needs root privileges"},
	{"privileges-missing", "Starting a machine needs root privileges: the user namespace that an ordinary user would run it in is not available yet"},
	{"privileges-raised", "nspawn does not run set-user-id, set-group-id or with file capabilities"},
	{"program-needed", "Limits of a forwarded journal need systemd-journal-remote %d, and here is %d"},
	{"program-needed", "Option '--forward-journal' needs the program systemd-journal-remote, which is not installed"},
	{"random-read", "Cannot get random bytes for the ids of this start"},

	/* --- Tree --- */
	{"image-missing", "No image for machine '%s' found in: %s"},
	{"image-open", "Cannot look at image '%s'"},
	{"image-open", "Cannot open image '%s'"},
	{"machine-name-invalid", "'%s' is not a valid machine name"},
	{"machine-name-invalid", "Cannot make a machine name from '%s': it has no letter or digit"},
	{"template-open", "Cannot open the template '%s'"},
	{"tree-copy", "Cannot begin with a copy of '%s' as '%s'"},
	{"tree-copy", "Cannot copy '%s/%s' to '%s'"},
	{"tree-copy", "There is not enough room for a copy of '%s' as '%s'"},
	{"tree-interrupted", "Interrupted while '%s' was being made: removing what there is"},
	{"tree-interrupted", "Interrupted while the owners in '%s' were being changed"},
	{"tree-is-host", "Cannot run a machine on the host's own root directory"},
	{"tree-make", "Cannot make the directory '%s' beside the new tree '%s'"},
	{"tree-make", "Cannot move the finished tree to '%s'"},
	{"tree-make", "Cannot open the directory of the new tree '%s'"},
	{"tree-make", "Cannot remove what an earlier start has left of '%s'"},
	{"tree-no-os", "The tree '%s' is no operating system: it has neither /etc/os-release nor /usr/lib/os-release"},
	{"tree-no-os", "The tree '%s' is no operating system: it has neither /usr nor /etc/os-release"},
	{"tree-no-os", "What is mounted makes no operating system: there is neither %s nor /etc/os-release"},
	{"tree-not-merged", "The tree '%s' cannot be volatile: its programs are not all in /usr"},
	{"tree-open", "Cannot look at the tree '%s'"},
	{"tree-open", "Cannot look at tree '%s'"},
	{"tree-open", "Cannot look into the tree '%s'"},
	{"tree-open", "Cannot open the directory '%s' of the tree '%s' as its root"},
	{"tree-open", "Cannot open the tree '%s'"},
	{"tree-open", "Cannot take a private view of the tree"},
	{"tree-owner", "Cannot change the owner of '%s/%s'"},
	{"tree-owner", "Cannot change the owner of the tree '%s'"},
	{"tree-owner", "Cannot look at the owner of the tree '%s'"},

	/* --- Locks --- */
	{"left-over-remove", "Cannot look at the directory '%s'"},
	{"left-over-remove", "Cannot remove the cgroup of machine '%s' in '%s'"},
	{"left-over-remove", "Cannot remove the directory '%s'"},
	{"lock-take", "Cannot lock the machine name '%s'"},
	{"lock-take", "Cannot lock tree '%s'"},
	{"lock-take", "Cannot look at the lock '%s'"},
	{"machine-busy", "A machine named '%s' is running already"},
	{"machine-busy", "Machine '%s' is running: nothing of it is left over"},
	{"tree-busy", "Another start is making the tree '%s' out of a template just now"},
	{"tree-busy", "Tree '%s' is in use by another machine"},

	/* --- Cgroup --- */
	{"cgroup-delegate", "Cannot give '%s/payload/%s' to user %u"},
	{"cgroup-delegate", "Cannot give the cgroup '%s/payload' to user %u"},
	{"cgroup-find", "Cannot find our own cgroup"},
	{"cgroup-make", "Cannot make the cgroup '%s/%s'"},
	{"cgroup-move", "Cannot move into the cgroup '%s/supervisor'"},
	{"cgroup-move", "Cannot move the payload into its cgroup"},
	{"cgroup-open", "Cannot open the cgroup '%s'"},

	/* --- Users --- */
	{"users-owners", "Cannot give the directory '%s' to the payload's root"},
	{"users-owners", "Cannot give the socket of the journal to the payload's root"},
	{"users-owners", "Cannot map the owners of the layer '%s' to the payload's ids"},
	{"users-owners", "Cannot map the owners of the tree to the payload's ids"},
	{"users-owners", "The change of the tree's owners was interrupted"},
	{"users-owners", "Only root can make the tree's owners follow by '%s'"},
	{"users-owners", "The tree belongs to user %u and group %u, which are of different ranges"},
	{"users-owners", "The tree belongs to user %u, not to the foreign range from %u on"},
	{"users-owners", "The tree's owners cannot be mapped on its file system%s%s"},
	{"users-range", "Cannot lock the ids from %u on"},
	{"users-range", "No range of 65536 ids for machine '%s' is free"},
	{"users-range", "Only root can give the host's ids to a machine"},
	{"users-range", "The %u ids from %u on are not yours by '/etc/subuid' and '/etc/subgid'"},
	{"users-range", "The ids from %u on cannot be had: %s"},
	{"users-unavailable", "%s did not %s: %s"},
	{"users-unavailable", "'%s' did not map the ids of the machine: %s"},
	{"users-unavailable", "A user namespace cannot be had here: %s"},
	{"users-unavailable", "Cannot ask %s to %s"},
	{"users-unavailable", "Cannot become root in the user namespace"},
	{"users-unavailable", "Cannot enter the payload's user namespace"},
	{"users-unavailable", "Cannot keep the rights for assembling the tree"},
	{"users-unavailable", "Cannot make a user namespace for the payload"},
	{"users-unavailable", "Cannot make a user namespace for the tree"},
	{"users-unavailable", "Cannot make a user namespace"},
	{"users-unavailable", "Cannot make files that belong to the id %u"},
	{"users-unavailable", "Cannot make the payload's user namespace"},
	{"users-unavailable", "Cannot map the ids of the machine to those from %u on"},
	{"users-unavailable", "Cannot run '%s' to map the ids of the machine"},
	{"users-unavailable", "Nobody manages ids here: systemd-nsresourced and a systemd-mountfsd that mounts directories are not running"},
	{"users-unavailable", "Without a user namespace only root can start a machine"},

	/* --- Namespaces --- */
	{"hostname-set", "Cannot set the host name '%s'"},
	{"loopback-start", "Cannot bring up the loopback interface of the private network"},
	{"namespaces-make", "Cannot create the namespaces of the machine"},
	{"namespaces-make", "Cannot find the payload's process"},
	{"namespaces-make", "Cannot make a cgroup namespace"},
	{"namespaces-make", "Cannot make the mount namespace private"},

	/* --- Mounts --- */
	{"bind-source-make", "Cannot make a temporary directory in '/var/tmp' for an empty source"},
	{"bind-source-make", "Cannot make the directory '%s'"},
	{"bind-source-open", "Cannot open the bind source '%s'"},
	{"changes-make", "Others could put something else in the place of the machine's changes in '%s'"},
	{"changes-make", "Cannot give '%s' the owner and mode of the tree"},
	{"changes-make", "Cannot make a directory for the machine's changes"},
	{"changes-make", "Cannot make the directory '%s' for the machine's changes"},
	{"changes-make", "Cannot open the directory '%s' for the machine's changes"},
	{"mount-failed", "Cannot bind '%s' to '%s' in the tree"},
	{"mount-failed", "Cannot mount %s on '%s' in the tree"},
	{"mount-hidden", "The tree hides '%s': it is not the %s that was mounted there"},
	{"mount-options", "Cannot make a %s with the options '%s' for '%s'"},
	{"mount-share", "Cannot share the mounts of the tree among the payload's namespaces"},
	{"overlay-busy", "The top layer '%s' of an overlay is in use by another machine"},
	{"overlay-layer", "Cannot make the directory '%s' beside the top layer '%s'"},
	{"overlay-layer", "Cannot make the top layer '%s' of an overlay"},
	{"overlay-layer", "Cannot open the directory of the top layer '%s'"},
	{"overlay-layer", "Cannot open the layer '%s' of an overlay"},
	{"overlay-layer", "Cannot open the top layer '%s' of an overlay"},
	{"overlay-layer", "Cannot take a view of the directory of '%s'"},
	{"overlay-make", "An overlay on '%s' of %zu directories is too high: %d are possible"},
	{"overlay-make", "Cannot make an overlay for '%s'"},
	{"overlay-make", "The top layer '%s' of an overlay is a mount point"},
	{"owners-ambiguous", "The owners of '%s' have %s %u of the host or %u of the tree twice"},
	{"owners-map", "Cannot make a user namespace for the owners of '%s'"},
	{"owners-map", "Cannot map the owners of '%s'"},
	{"owners-map", "Cannot tell who owns '%s'"},
	{"owners-map", "The owners of '%s' cannot be users that the machine does not have"},
	{"owners-map", "The owners of '%s' need a map of more than %d ranges"},
	{"owners-unsupported", "The file system %s of '%s' cannot map owners"},
	{"owners-unsupported", "The file system of '%s' cannot map owners"},
	{"owners-unsupported", "The owners of '%s' are mapped already, which this kernel cannot drop"},
	{"place-make", "Cannot fill '/run/host' in the tree"},
	{"place-make", "Cannot make '/%s' in the tree"},
	{"place-make", "Cannot make the device node '%s' in the tree"},
	{"place-make", "Cannot make the directory '/dev/%s' in the tree"},
	{"place-make", "Cannot make the link '/dev/%s' in the tree"},
	{"place-make", "Cannot make the link '/dev/console' in the tree"},
	{"place-make", "Cannot make the notification socket '/run/host/notify'"},
	{"root-enter", "Cannot attach the tree in the payload's namespace"},
	{"root-enter", "Cannot attach the tree"},
	{"root-enter", "Cannot enter the assembled tree"},
	{"root-enter", "Cannot enter the root directory of the tree"},
	{"root-enter", "Cannot find the tree's /run in the payload's namespace"},
	{"root-enter", "Cannot leave the host's root directory"},
	{"root-enter", "Cannot make the tree the root directory"},
	{"root-enter", "Cannot make the view of the tree private"},

	/* --- Credentials --- */
	{"credential-pass", "Cannot make the file system of the credentials"},
	{"credential-read", "Cannot open the directory '%s' of our credentials"},
	{"credential-read", "Cannot pass on the credential '%s': we were started with none"},
	{"credential-read", "Cannot read the credential '%s'"},
	{"credential-read", "The credential '%s' is larger than 1 MiB"},

	/* --- Journal --- */
	{"journal-forward", "Cannot learn the version of '%s'"},
	{"journal-forward", "Cannot make the directory '%s' for the journal"},
	{"journal-forward", "Cannot make the socket '%s' for the journal"},
	{"journal-forward", "Cannot start '%s'"},
	{"journal-link", "Cannot link the journal '%s': %s"},
	{"journal-link", "The host keeps no journals in '%s'"},

	/* --- Console --- */
	{"console-connect", "Cannot connect the payload to its console"},
	{"console-connect", "Cannot give the console to the user '%s'"},
	{"console-connect", "Cannot make the console the controlling terminal"},
	{"console-connect", "Cannot start a session for the payload"},
	{"console-io", "Cannot read from the container's console"},
	{"console-io", "Cannot write to the container's console"},
	{"console-make", "Cannot hold the container's console open"},
	{"console-make", "Cannot make a pseudo-terminal for the console"},
	{"console-make", "Cannot open the pseudo-terminal of the console"},
	{"console-make", "Cannot prepare the container's console"},

	/* --- Confinement --- */
	{"capabilities-apply", "Cannot give up capabilities and become the user '%s'"},
	{"descriptors-pass", "Cannot keep descriptors from the payload"},
	{"descriptors-pass", "Cannot pass on the activation socket %u"},
	{"filter-build", "Cannot build the system call filter"},
	{"filter-load", "Cannot load the system call filter"},
	{"label-apply", "Cannot confirm the AppArmor profile '%s' of the payload"},
	{"label-apply", "Cannot confirm the SELinux context '%s' of the payload"},
	{"label-apply", "Cannot give the payload the SELinux context '%s'"},
	{"label-apply", "Cannot make the %s for '%s' with the SELinux context '%s'"},
	{"label-apply", "Cannot put the payload under the AppArmor profile '%s'"},
	{"label-apply", "The payload was given the SELinux context '%s', but the kernel says '%s'"},
	{"label-apply", "The payload was put under the AppArmor profile '%s', but the kernel says '%s'"},
	{"label-missing", "The AppArmor profile '%s' cannot confine anything: this kernel runs no AppArmor"},
	{"limits-apply", "Cannot set the CPU affinity"},
	{"limits-apply", "Cannot set the OOM score adjustment to %s"},
	{"limits-apply", "Cannot set the personality"},
	{"privileges-drop", "Cannot make the payload's set-up unobservable"},
	{"privileges-drop", "Cannot set no_new_privs"},
	{"privileges-drop", "Cannot tie the payload's life to the supervisor's"},

	/* --- Program --- */
	{"chdir-failed", "Cannot change to the directory '%s' in the tree"},
	{"program-missing", "Cannot run '%s' in the tree"},
	{"program-missing", "Cannot run '%s': its interpreter or loader '%s' is not in the tree"},
	{"program-missing", "There is no %s in the tree"},
	{"program-run", "Cannot %s for the stub init"},
	{"program-run", "Cannot run '%s'"},
	{"program-run", "Cannot run an init with more than %d arguments"},
	{"program-unsafe", "Cannot run '%s': it cannot be read to see which files the kernel would load for it"},
	{"program-unsafe", "Cannot run '%s': it leads through a link of /proc to a file outside of the tree"},
	{"user-find", "Cannot look up the %s '%s' %s"},
	{"user-find", "Cannot look up the user '%s' in the tree"},
	{"user-find", "Cannot read '%s' of the tree"},
	{"user-missing", "There is no %s '%s' %s"},
	{"user-missing", "There is no user '%s' in the tree"},
	{"user-taken", "No id from %u to %u is free in the tree for the user '%s'"},
	{"user-taken", "The tree has a %s '%s' of its own, which the host's cannot become"},
	{"user-unfit", "The user '%s' cannot be known inside: %s"},

	/* --- Supervision --- */
	{"payload-killed", "Machine '%s' was terminated by signal %s"},
	{"payload-killed", "The payload was killed by signal %s while it was set up"},
	{"payload-silent", "Cannot make the socket for talking with the payload"},
	{"payload-silent", "Cannot talk with the payload while it is set up"},
	{"payload-silent", "The payload and its supervisor disagree about the next step"},
	{"payload-silent", "The payload ended while it was set up, without a word"},
	{"payload-watch", "Cannot block signals"},
	{"payload-watch", "Cannot learn how the payload ended"},
	{"payload-watch", "Cannot start the process that guards the machine"},
	{"payload-watch", "Cannot wait for the payload"},
	{"payload-watch", "Cannot watch signals"},
};
/* clang-format on */

unsigned int failure_find(const char *format)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].format, format) == 0)
			return (unsigned int)i + 1;
	return 0;
}

const char *failure_identifier(unsigned int number)
{
	return number > 0 && number <= ARRAY_LEN(rows) ? rows[number - 1].identifier : NULL;
}
