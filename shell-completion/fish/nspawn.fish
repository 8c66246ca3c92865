# fish completion for nspawn
# SPDX-License-Identifier: LGPL-2.1-or-later
# Made by 'ninja completion' out of nspawn.fish.in and the settings table.
#
# For the name systemd-nspawn, which has no verbs, make a link systemd-nspawn.fish to this file.

set -l program (string replace -r '^.*/(.*)\.fish$' '$1' -- (status filename))

# The options and the words before the cursor: sets 'nspawn_*' of the caller to what they say.
function __nspawn_read --no-scope-shadowing
    set -l words (commandline -opc)
    set -l program (string replace -r '.*/' '' -- $words[1])
    set -e words[1]
    set nspawn_tree
    set nspawn_boots no
    set nspawn_verb
    set nspawn_ended no
    set nspawn_command
    if test "$program" != systemd-nspawn; and contains -- "$words[1]" list status show top exec shell login console logs start enable disable poweroff reboot terminate kill pause resume wait limits copy-to copy-from bind unbind net diff commit export config syscalls clean
        set nspawn_verb $words[1]
        set -e words[1]
    end
    while set -q words[1]
        set -l word $words[1]
        set -e words[1]
        set -l value
        switch $word
            case --
                set nspawn_ended yes
                set nspawn_command $words
                break
            case '--*=*'
                set value (string replace -r '^[^=]*=' '' -- $word)
                set word (string replace -r '=.*' '' -- $word)
            case '--*'
                if contains -- $word --settings --directory --template --ephemeral-dir --pivot-root --chdir --setenv --uid --kill-signal --notify-ready --ready --suppress-sync --machine --hostname --uuid --slice --property --register --private-users-ownership --private-users-delegate --network-interface --network-macvlan --network-ipvlan --network-veth-name --network-veth-extra --network-bridge --network-tap --network-zone --network-setup --network-namespace-path --port --host-port --capability --drop-capability --ambient-capability --no-new-privileges --system-call-filter --restrict-address-families --selinux-context --selinux-apifs-context --apparmor-profile --memory --cpus --tasks --io-weight --rlimit --oom-score-adjust --cpu-affinity --personality --resolv-conf --timezone --link-journal --forward-journal --forward-journal-max-use --forward-journal-keep-free --forward-journal-max-file-size --forward-journal-max-files --bind --bind-ro --inaccessible --tmpfs --overlay --overlay-ro --device --bind-user --bind-user-shell --bind-user-group --console --background --set-credential --load-credential
                    set value $words[1]
                    set -e words[1]
                end
            case '-?*'
                set -l letters (string match -r '^-([hqxabUnjP]*)(?:([DEuMSpZL])(.*))?$' -- $word)
                string match -q '*b*' -- "$letters[2]"; and set nspawn_boots yes
                set word -$letters[3]
                set value $letters[4]
                if test -n "$letters[3]" -a -z "$value"
                    set value $words[1]
                    set -e words[1]
                end
            case '*'
                set nspawn_command $word $words
                break
        end
        switch $word
            case -D --directory
                set nspawn_tree (string replace -r '^~/' "$HOME/" -- $value | string replace -r '/$' '')
            case -b --boot
                set nspawn_boots yes
            case -M --machine
                for folder in /etc/machines /run/machines /var/lib/machines /var/lib/container /usr/local/lib/machines /usr/lib/machines
                    if test -z "$nspawn_tree" -a -n "$value" -a -d "$folder/$value"
                        set nspawn_tree $folder/$value
                    end
                end
        end
    end
end

# The cursor is where options are.
function __nspawn_in_options
    __nspawn_read
    not set -q nspawn_command[1]; and test $nspawn_ended = no
    and not contains -- "$nspawn_verb" list status show top exec shell login console logs start enable disable poweroff reboot terminate kill pause resume wait limits copy-to copy-from bind unbind net diff commit export clean
end

# What is typed is an option. Its value, if it is none that must be there, is not for others.
function __nspawn_is_dashed
    string match -q -- '-*' (commandline -ct)
end

# Neither a verb nor the command has come.
function __nspawn_at_command
    __nspawn_read
    not set -q nspawn_command[1]; and not set -q nspawn_verb[1]; and test $nspawn_boots = no
    and not __nspawn_is_dashed
end

function __nspawn_in_command
    __nspawn_read
    set -q nspawn_command[1]; and not set -q nspawn_verb[1]; and test $nspawn_boots = no
end

function __nspawn_at_verb
    set -l words (commandline -opc)
    not set -q words[2]; and not string match -qr '(^|/)systemd-nspawn$' -- $words[1]
end

function __nspawn_has_verb
    __nspawn_read
    not set -q nspawn_command[1]; and contains -- "$nspawn_verb" $argv
end

function __nspawn_has_machine_verb
    __nspawn_has_verb start enable disable config; and not __nspawn_is_dashed
end

function __nspawn_has_running_verb
    __nspawn_read
    contains -- "$nspawn_verb" status show top poweroff reboot terminate kill pause resume clean; and not __nspawn_is_dashed
end

# --option+=VALUE: what is offered is that of --option=VALUE.
function __nspawn_is_adding
    string match -qr -- '^--[a-z-]+\+=' (commandline -ct)
end

function __nspawn_added
    set -l parts (string match -r -- '^(--[a-z-]+)\+=(.*)$' (commandline -ct))
    set -l before (string escape -- (commandline -opc) | string join ' ')
    complete -C "$before $parts[2]=$parts[3]" | string replace -r -- '^(--[a-z-]+)=' '$1+='
end

# The verb is one of these, and a word that is none of its options may have come.
function __nspawn_is_verb
    __nspawn_read
    contains -- "$nspawn_verb" $argv
end

# A verb for one machine, which has not come.
function __nspawn_at_only_machine
    __nspawn_read
    not set -q nspawn_command[1]; and not __nspawn_is_dashed
    and contains -- "$nspawn_verb" copy-to copy-from bind export exec shell login console logs wait limits unbind net diff commit
end

function __nspawn_is_behind_machine
    __nspawn_read
    set -q nspawn_command[1]; and contains -- "$nspawn_verb" $argv; and not __nspawn_is_dashed
end

# A verb about system calls takes as many as there are.
function __nspawn_at_group
    __nspawn_read
    contains -- "$nspawn_verb" syscalls; and not __nspawn_is_dashed
end

function __nspawn_machines
    __nspawn_read
    for folder in /etc/machines /run/machines /var/lib/machines /var/lib/container /usr/local/lib/machines /usr/lib/machines
        for path in $folder/*/
            string replace -r '.*/([^/]+)/$' '$1' -- $path
        end
    end
    test -n "$nspawn_tree"; and string replace -r '.*/' '' -- $nspawn_tree
end

# Machines that run: root's, and those of the user.
function __nspawn_running
    for path in /run/nspawn/*/ $XDG_RUNTIME_DIR/nspawn/*/
        string replace -r '.*/([^/]+)/$' '$1' -- $path
    end
end

# Files of the tree, as its programs see them.
function __nspawn_tree_files
    __nspawn_read
    set -l current (commandline -ct | string replace -r '^(--[^=]*=)?(.*:)?' '')
    test -n "$nspawn_tree"; or return
    for path in $nspawn_tree(string escape -n -- $current)*
        set -l name (string sub -s (math (string length -- $nspawn_tree) + 1) -- $path)
        test -d $path; and echo $name/; or echo $name
    end
end

function __nspawn_programs
    __nspawn_read
    set -l found
    if test -n "$nspawn_tree"
        set found $nspawn_tree/{usr/local/,usr/,}{s,}bin/*
    end
    if set -q found[1]
        string replace -r '.*/' '' -- $found
    else
        __fish_complete_command
    end
    __nspawn_tree_files
end

function __nspawn_users
    __nspawn_read
    if test -n "$nspawn_tree" -a -f "$nspawn_tree/etc/passwd" -a -r "$nspawn_tree/etc/passwd"
        string replace -r ':.*' '' <$nspawn_tree/etc/passwd
    else
        __fish_complete_users
    end
end

# SOURCE[:DESTINATION[:OPTIONS]]
function __nspawn_bind
    set -l current (commandline -ct | string replace -r '^--[^=]*=' '')
    switch $current
        case '*:*:*'
            set -l before (string replace -r '[^:]*$' '' -- $current)
            printf '%s\n' {$before}rbind {$before}norbind
        case '*:*'
            set -l before (string replace -r '[^:]*$' '' -- $current)
            for path in (__nspawn_tree_files)
                echo $before$path
            end
        case '*'
            __fish_complete_path $current
    end
end

# NAME,NAME
function __nspawn_commas
    set -l current (commandline -ct | string replace -r '^--[^=]*=' '')
    set -l before (string replace -r '[^,]*$' '' -- $current)
    printf "$before%s\n" $argv
end

# [~]NAME
function __nspawn_denied
    set -l current (commandline -ct | string replace -r '^--[^=]*=' '')
    set -l before (string match -r '^~' -- $current)
    printf "$before%s\n" $argv
end

complete -c $program -f
complete -c $program -n __nspawn_is_adding -a '(__nspawn_added)'
complete -c $program -n __nspawn_at_command -a '(__nspawn_programs)'
complete -c $program -n __nspawn_in_command -F -a '(__nspawn_tree_files)'
complete -c $program -n __nspawn_has_machine_verb -a '(__nspawn_machines)' -d machine
complete -c $program -n __nspawn_has_running_verb -a '(__nspawn_running)' -d machine
complete -c $program -n __nspawn_at_group -a '@aio @basic-io @chown @clock @cpu-emulation @debug @default @file-system @io-event @ipc @keyring @memlock @module @mount @network-io @obsolete @pkey @privileged @process @raw-io @reboot @resources @sandbox @setuid @signal @swap @sync @system-service @timer @known' -d 'system calls'
complete -c $program -n '__nspawn_has_verb start enable disable config syscalls' -l json -d 'Print JSON'
complete -c $program -n __nspawn_at_only_machine -a '(__nspawn_running)' -d machine
complete -c $program -n '__nspawn_is_behind_machine copy-to copy-from bind export' -F
complete -c $program -n '__nspawn_is_behind_machine exec shell' -a '(__fish_complete_command)'
complete -c $program -n '__nspawn_is_verb list' -l all
complete -c $program -n '__nspawn_is_verb list' -l max-addresses -x
complete -c $program -n '__nspawn_is_verb list' -l no-legend
complete -c $program -n '__nspawn_is_verb list' -l json
complete -c $program -n '__nspawn_is_verb status' -l lines -x
complete -c $program -n '__nspawn_is_verb status' -l json
complete -c $program -n '__nspawn_is_verb show' -l property -x
complete -c $program -n '__nspawn_is_verb show' -l value
complete -c $program -n '__nspawn_is_verb show' -l all
complete -c $program -n '__nspawn_is_verb show' -l json
complete -c $program -n '__nspawn_is_verb top' -l once
complete -c $program -n '__nspawn_is_verb top' -l delay -x
complete -c $program -n '__nspawn_is_verb top' -l json
complete -c $program -n '__nspawn_is_verb exec' -l user -x
complete -c $program -n '__nspawn_is_verb exec' -l setenv -x
complete -c $program -n '__nspawn_is_verb exec' -l chdir -x
complete -c $program -n '__nspawn_is_verb exec' -l tty
complete -c $program -n '__nspawn_is_verb exec' -l no-tty
complete -c $program -n '__nspawn_is_verb exec' -l quiet
complete -c $program -n '__nspawn_is_verb shell' -l user -x
complete -c $program -n '__nspawn_is_verb shell' -l setenv -x
complete -c $program -n '__nspawn_is_verb shell' -l chdir -x
complete -c $program -n '__nspawn_is_verb shell' -l tty
complete -c $program -n '__nspawn_is_verb shell' -l no-tty
complete -c $program -n '__nspawn_is_verb shell' -l quiet
complete -c $program -n '__nspawn_is_verb logs' -l previous
complete -c $program -n '__nspawn_is_verb logs' -l follow
complete -c $program -n '__nspawn_is_verb start' -l json
complete -c $program -n '__nspawn_is_verb enable' -l now
complete -c $program -n '__nspawn_is_verb enable' -l after -x
complete -c $program -n '__nspawn_is_verb enable' -l delay -x
complete -c $program -n '__nspawn_is_verb enable' -l json
complete -c $program -n '__nspawn_is_verb disable' -l now
complete -c $program -n '__nspawn_is_verb disable' -l json
complete -c $program -n '__nspawn_is_verb poweroff' -l no-wait
complete -c $program -n '__nspawn_is_verb poweroff' -l timeout -x
complete -c $program -n '__nspawn_is_verb poweroff' -l json
complete -c $program -n '__nspawn_is_verb reboot' -l no-wait
complete -c $program -n '__nspawn_is_verb reboot' -l timeout -x
complete -c $program -n '__nspawn_is_verb reboot' -l json
complete -c $program -n '__nspawn_is_verb terminate' -l no-wait
complete -c $program -n '__nspawn_is_verb terminate' -l timeout -x
complete -c $program -n '__nspawn_is_verb terminate' -l json
complete -c $program -n '__nspawn_is_verb kill' -l signal -x
complete -c $program -n '__nspawn_is_verb kill' -l kill-whom -x
complete -c $program -n '__nspawn_is_verb kill' -l json
complete -c $program -n '__nspawn_is_verb pause' -l json
complete -c $program -n '__nspawn_is_verb resume' -l json
complete -c $program -n '__nspawn_is_verb wait' -l ready
complete -c $program -n '__nspawn_is_verb wait' -l end
complete -c $program -n '__nspawn_is_verb wait' -l json
complete -c $program -n '__nspawn_is_verb limits' -l json
complete -c $program -n '__nspawn_is_verb copy-to' -l force
complete -c $program -n '__nspawn_is_verb copy-to' -l json
complete -c $program -n '__nspawn_is_verb copy-from' -l force
complete -c $program -n '__nspawn_is_verb copy-from' -l json
complete -c $program -n '__nspawn_is_verb bind' -l read-only
complete -c $program -n '__nspawn_is_verb bind' -l mkdir
complete -c $program -n '__nspawn_is_verb bind' -l json
complete -c $program -n '__nspawn_is_verb unbind' -l json
complete -c $program -n '__nspawn_is_verb net' -l json
complete -c $program -n '__nspawn_is_verb diff' -l json
complete -c $program -n '__nspawn_is_verb commit' -l json
complete -c $program -n '__nspawn_is_verb export' -l json
complete -c $program -n '__nspawn_is_verb clean' -l json
complete -c $program -n __nspawn_at_verb -a list -d 'List the machines that run'
complete -c $program -n __nspawn_at_verb -a status -d 'Show what a machine is, has and uses'
complete -c $program -n __nspawn_at_verb -a show -d 'Show properties of a machine as lines for scripts'
complete -c $program -n __nspawn_at_verb -a top -d 'Show what machines use, again and again'
complete -c $program -n __nspawn_at_verb -a exec -d 'Run a command in a running machine, with the rights of its first process'
complete -c $program -n __nspawn_at_verb -a shell -d 'Open a user\'s login shell in a running machine'
complete -c $program -n __nspawn_at_verb -a login -d 'Open a fresh login prompt of a running machine'
complete -c $program -n __nspawn_at_verb -a console -d 'Attach this terminal to the console of a running machine'
complete -c $program -n __nspawn_at_verb -a logs -d 'Show the end of what a machine that boots wrote on its console'
complete -c $program -n __nspawn_at_verb -a start -d 'Start machines as services, and wait until they are ready'
complete -c $program -n __nspawn_at_verb -a enable -d 'Start machines with the host from now on'
complete -c $program -n __nspawn_at_verb -a disable -d 'Do not start machines with the host any more'
complete -c $program -n __nspawn_at_verb -a poweroff -d 'Let machines shut down in their own way, and wait for it'
complete -c $program -n __nspawn_at_verb -a reboot -d 'Let machines reboot in their own way, and wait for it'
complete -c $program -n __nspawn_at_verb -a terminate -d 'End machines at once'
complete -c $program -n __nspawn_at_verb -a kill -d 'Send a signal to the processes of machines'
complete -c $program -n __nspawn_at_verb -a pause -d 'Stop all processes of machines where they are'
complete -c $program -n __nspawn_at_verb -a resume -d 'Let them go on'
complete -c $program -n __nspawn_at_verb -a wait -d 'Wait until a machine has ended, or is ready, and end with its status'
complete -c $program -n __nspawn_at_verb -a limits -d 'Show what a running machine may use, who says so, and what it uses'
complete -c $program -n __nspawn_at_verb -a copy-to -d 'Copy a file or a tree of the host into a running machine'
complete -c $program -n __nspawn_at_verb -a copy-from -d 'Copy a file or a tree of a running machine to the host'
complete -c $program -n __nspawn_at_verb -a bind -d 'Show a file or directory of the host in a running machine'
complete -c $program -n __nspawn_at_verb -a unbind -d 'Take away what \'bind\' has brought'
complete -c $program -n __nspawn_at_verb -a net -d 'Show the links of a running machine, add links and ports or take them away'
complete -c $program -n __nspawn_at_verb -a diff -d 'Show what a running throw-away machine changed'
complete -c $program -n __nspawn_at_verb -a commit -d 'Write what a running throw-away machine changed into its tree'
complete -c $program -n __nspawn_at_verb -a export -d 'Write the tree of a running machine as a tar archive'
complete -c $program -n __nspawn_at_verb -a config -d 'Show what a machine is started with, and where each value is from'
complete -c $program -n __nspawn_at_verb -a syscalls -d 'Show which way system calls of a machine go, and why'
complete -c $program -n __nspawn_at_verb -a clean -d 'Remove what killed supervisors of machines left behind'
complete -c $program -n __nspawn_in_options -s h -l help -d 'Show this help'
complete -c $program -n __nspawn_in_options -l version -d 'Show the version'
complete -c $program -n __nspawn_in_options -l no-pager -d 'Do not pipe output into a pager'
complete -c $program -n __nspawn_in_options -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c $program -n __nspawn_in_options -l dry-run -f -a 'text json' -d 'Show what would be done and why, and do nothing: text, json'
complete -c $program -n __nspawn_in_options -l json-errors -d 'Print messages as JSON, errors with their stable identifiers'
complete -c $program -n __nspawn_in_options -l settings -x -a 'no yes override trusted' -d 'Use of settings files: yes, no, override, trusted'
complete -c $program -n __nspawn_in_options -l cleanup -d 'Remove what a crashed instance left behind'
complete -c $program -n __nspawn_in_options -l no-ask-password -d 'Do not ask the user for passwords'
complete -c $program -n __nspawn_in_options -l system -d 'Run in system scope'
complete -c $program -n __nspawn_in_options -s D -l directory -x -a '(__fish_complete_directories)' -d 'Root directory of the container'
complete -c $program -n __nspawn_in_options -l template -x -a '(__fish_complete_directories)' -d 'Make the root directory from this tree if it is missing'
complete -c $program -n __nspawn_in_options -s x -l ephemeral -d 'Throw all changes to the tree away at the end'
complete -c $program -n __nspawn_in_options -l ephemeral-dir -x -a '(__fish_complete_directories)' -d 'Where those changes lie until then, instead of /var/tmp'
complete -c $program -n __nspawn_in_options -l read-only -d 'Make the root directory read-only'
complete -c $program -n __nspawn_in_options -l volatile -f -a 'no yes state overlay' -d 'Keep changes in memory only: no, yes, state, overlay'
complete -c $program -n __nspawn_in_options -l pivot-root -x -a '(__nspawn_tree_files)' -d 'Use a directory inside the tree as root'
complete -c $program -n __nspawn_in_options -s a -l as-pid2 -d 'Run the command as PID 2, below a minimal init'
complete -c $program -n __nspawn_in_options -s b -l boot -d 'Boot the tree: run its init, with the words as arguments'
complete -c $program -n __nspawn_in_options -l chdir -x -a '(__nspawn_tree_files)' -d 'Working directory inside'
complete -c $program -n __nspawn_in_options -s E -l setenv -x -a '(set -nx)=' -d 'Set a variable in the environment of PID 1, or pass ours on'
complete -c $program -n __nspawn_in_options -s u -l uid -x -a '(__nspawn_users)' -d 'Run the command as this user of the container, by name or number'
complete -c $program -n __nspawn_in_options -l kill-signal -x -a 'SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGPOLL SIGPWR SIGSYS SIGRTMIN+3 SIGRTMIN+4 SIGRTMIN+5' -d 'Signal that asks PID 1 to shut down'
complete -c $program -n __nspawn_in_options -l notify-ready -x -a 'yes no' -d 'Be ready only when PID 1 says that it is'
complete -c $program -n __nspawn_in_options -l ready -x -d 'When the machine is ready: spawned, guest, exec:COMMAND that succeeds inside, port:NUMBER that answers there'
complete -c $program -n __nspawn_in_options -l suppress-sync -x -a 'yes no' -d 'Make sync(2) and its relatives do nothing'
complete -c $program -n __nspawn_in_options -s M -l machine -x -a '(__nspawn_machines)' -d 'Name of the machine'
complete -c $program -n __nspawn_in_options -l hostname -x -d 'Host name, if not the name of the machine'
complete -c $program -n __nspawn_in_options -l uuid -x -d 'Machine id, if the tree has none'
complete -c $program -n __nspawn_in_options -l no-os-check -d 'Start even a tree that does not look like an operating system'
complete -c $program -n __nspawn_in_options -s S -l slice -x -d 'Slice of the scope unit, where there is a manager'
complete -c $program -n __nspawn_in_options -l property -x -d 'Property of the scope unit, where there is a manager'
complete -c $program -n __nspawn_in_options -l register -x -a 'no yes auto' -d 'Register with the machine manager, where there is one: no, yes, auto'
complete -c $program -n __nspawn_in_options -l keep-unit -d 'Stay in the unit that nspawn runs in'
complete -c $program -n __nspawn_in_options -l private-users -f -a 'no yes pick identity managed' -d 'Run in a user namespace: no, yes, pick, identity, managed, or the first id of the host and a number of ids, FIRST[:COUNT]'
complete -c $program -n __nspawn_in_options -s U -d 'The same as --private-users=pick where the kernel has user namespaces'
complete -c $program -n __nspawn_in_options -l private-users-ownership -x -a 'off chown map foreign auto' -d 'How the tree\'s owners follow: off, chown, map, foreign, auto'
complete -c $program -n __nspawn_in_options -l private-users-delegate -x -d 'Further ranges of 65536 ids for containers inside'
complete -c $program -n __nspawn_in_options -l nesting -d 'Make containers inside work, after trying one'
complete -c $program -n __nspawn_in_options -l private-network -d 'Give the container a network of its own, with nothing but lo'
complete -c $program -n __nspawn_in_options -l network-interface -x -d 'Move an interface of the host in'
complete -c $program -n __nspawn_in_options -l network-macvlan -x -d 'Make a macvlan interface of one of the host'
complete -c $program -n __nspawn_in_options -l network-ipvlan -x -d 'Make an ipvlan interface of one of the host'
complete -c $program -n __nspawn_in_options -s n -l network-veth -d 'Connect the container to the host by a virtual cable'
complete -c $program -n __nspawn_in_options -l network-veth-name -x -d 'Name of that cable\'s end on the host, instead of ve-MACHINE'
complete -c $program -n __nspawn_in_options -l network-veth-extra -x -d 'Add one more virtual cable'
complete -c $program -n __nspawn_in_options -l network-bridge -x -d 'Plug a cable into a bridge'
complete -c $program -n __nspawn_in_options -l network-tap -x -d 'Make a tap interface inside, for a program or a virtual machine there'
complete -c $program -n __nspawn_in_options -l network-zone -x -d 'Plug the cable into a bridge made for the zone'
complete -c $program -n __nspawn_in_options -l network-setup -x -a 'auto host guest none' -d 'Which ends get addresses: auto, host, guest, none'
complete -c $program -n __nspawn_in_options -l network-namespace-path -r -F -d 'Join an existing network namespace'
complete -c $program -n __nspawn_in_options -s p -l port -x -d 'Let a port of the host, or a range, lead to one inside'
complete -c $program -n __nspawn_in_options -l host-port -x -d 'Let a port inside lead to the same one of the host, on 127.0.0.1'
complete -c $program -n __nspawn_in_options -l capability -x -a '(__nspawn_commas all CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE)' -d 'Keep more capabilities than the default, or \'all\''
complete -c $program -n __nspawn_in_options -l drop-capability -x -a '(__nspawn_commas CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE)' -d 'Drop capabilities'
complete -c $program -n __nspawn_in_options -l ambient-capability -x -a '(__nspawn_commas CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE)' -d 'Capabilities of a command that does not run as root'
complete -c $program -n __nspawn_in_options -l no-new-privileges -x -a 'yes no' -d 'No program inside may gain privileges'
complete -c $program -n __nspawn_in_options -l system-call-filter -x -a '(__nspawn_denied @aio @basic-io @chown @clock @cpu-emulation @debug @default @file-system @io-event @ipc @keyring @memlock @module @mount @network-io @obsolete @pkey @privileged @process @raw-io @reboot @resources @sandbox @setuid @signal @swap @sync @system-service @timer @known)' -d 'Allow, or with \'~\' deny, system calls and @groups'
complete -c $program -n __nspawn_in_options -l restrict-address-families -x -a '(__nspawn_denied AF_UNIX AF_LOCAL AF_INET AF_AX25 AF_IPX AF_APPLETALK AF_NETROM AF_BRIDGE AF_ATMPVC AF_X25 AF_INET6 AF_ROSE AF_DECnet AF_NETBEUI AF_SECURITY AF_KEY AF_NETLINK AF_ROUTE AF_PACKET AF_ASH AF_ECONET AF_ATMSVC AF_RDS AF_SNA AF_IRDA AF_PPPOX AF_WANPIPE AF_LLC AF_IB AF_MPLS AF_CAN AF_TIPC AF_BLUETOOTH AF_IUCV AF_RXRPC AF_ISDN AF_PHONET AF_IEEE802154 AF_CAIF AF_ALG AF_NFC AF_VSOCK AF_KCM AF_QIPCRTR AF_SMC AF_XDP AF_MCTP)' -d 'Allow only, or with \'~\' deny, families of sockets, or \'none\''
complete -c $program -n __nspawn_in_options -s Z -l selinux-context -x -d 'SELinux label of processes inside'
complete -c $program -n __nspawn_in_options -s L -l selinux-apifs-context -x -d 'SELinux label of file systems made for the container'
complete -c $program -n __nspawn_in_options -l apparmor-profile -x -d 'AppArmor profile of processes inside'
complete -c $program -n __nspawn_in_options -l memory -x -d 'Memory of the whole machine, like 512M'
complete -c $program -n __nspawn_in_options -l cpus -x -d 'Processor time of the whole machine, in processors, like 1.5'
complete -c $program -n __nspawn_in_options -l tasks -x -d 'Processes and threads of the whole machine'
complete -c $program -n __nspawn_in_options -l io-weight -x -d 'Its share of input and output when disks are busy: 1 to 10000'
complete -c $program -n __nspawn_in_options -l rlimit -x -a '(string join \n CPU FSIZE DATA STACK CORE RSS NOFILE AS NPROC MEMLOCK LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME)=' -d 'Limit a resource of the payload, see setrlimit(2)'
complete -c $program -n __nspawn_in_options -l oom-score-adjust -x -d 'Who dies first when memory is short: -1000 to 1000'
complete -c $program -n __nspawn_in_options -l cpu-affinity -x -d 'Run on these processors only, like 0,2-5'
complete -c $program -n __nspawn_in_options -l personality -x -a 'x86-64 x86' -d 'Architecture that uname(2) reports'
complete -c $program -n __nspawn_in_options -l resolv-conf -x -a 'off copy-host copy-static copy-uplink copy-stub replace-host replace-static replace-uplink replace-stub bind-host bind-static bind-uplink bind-stub delete auto' -d 'How /etc/resolv.conf is filled'
complete -c $program -n __nspawn_in_options -l timezone -x -a 'off copy bind symlink delete auto' -d 'How /etc/localtime is filled'
complete -c $program -n __nspawn_in_options -l link-journal -x -a 'no host try-host guest try-guest auto' -d 'Link the journals of host and container: no, auto, host, guest, try-host, try-guest'
complete -c $program -n __nspawn_in_options -s j -d 'The same as --link-journal=try-guest'
complete -c $program -n __nspawn_in_options -l forward-journal -r -F -d 'Store the container\'s journal in this file or directory'
complete -c $program -n __nspawn_in_options -l forward-journal-max-use -x -d 'Space that journal may take'
complete -c $program -n __nspawn_in_options -l forward-journal-keep-free -x -d 'Space that journal must leave'
complete -c $program -n __nspawn_in_options -l forward-journal-max-file-size -x -d 'Size of one of its files'
complete -c $program -n __nspawn_in_options -l forward-journal-max-files -x -d 'Number of its files'
complete -c $program -n __nspawn_in_options -l bind -x -a '(__nspawn_bind)' -d 'Mount a file or directory of the host, or with \'+\' of the tree'
complete -c $program -n __nspawn_in_options -l bind-ro -x -a '(__nspawn_bind)' -d 'The same, read-only'
complete -c $program -n __nspawn_in_options -l inaccessible -x -a '(__nspawn_tree_files)' -d 'Cover a file or directory with one that nobody can open'
complete -c $program -n __nspawn_in_options -l tmpfs -x -a '(__nspawn_tree_files)' -d 'Mount an empty file system in memory'
complete -c $program -n __nspawn_in_options -l overlay -x -a '(__nspawn_bind)' -d 'Mount directories on top of each other'
complete -c $program -n __nspawn_in_options -l overlay-ro -x -a '(__nspawn_bind)' -d 'The same, read-only'
complete -c $program -n __nspawn_in_options -l device -x -a 'fuse tun kvm loop dri snd input' -d 'Give it a device of the host: fuse, tun, kvm, loop, dri, snd, input, or a path'
complete -c $program -n __nspawn_in_options -l bind-user -x -d 'Make a user of the host known inside, with its home'
complete -c $program -n __nspawn_in_options -l bind-user-shell -x -d 'Shell of those users: no, yes for the host\'s, or a path'
complete -c $program -n __nspawn_in_options -l bind-user-group -x -d 'Further group of those users'
complete -c $program -n __nspawn_in_options -l console -x -a 'interactive read-only passive pipe autopipe' -d 'How input, output and /dev/console are connected'
complete -c $program -n __nspawn_in_options -s P -l pipe -d 'The same as --console=pipe'
complete -c $program -n __nspawn_in_options -l background -x -d 'Background of an interactive console, like 44 or 48;2;0;0;80'
complete -c $program -n __nspawn_in_options -l set-credential -x -d 'Pass a credential in'
complete -c $program -n __nspawn_in_options -l load-credential -x -d 'Pass a credential in from a file or socket'
