# SPDX-License-Identifier: LGPL-2.1-or-later
"""What callers rely on, point by point, and the tests that look after each: of the suites, and of test_contract.py here.

test_contract.py looks whether they are there, so that no point loses its tests by a change of a name.
"""

EXIT, PIPE, CONSOLE, LIFE = (f"integration/test_{name}.py" for name in ("exit", "pipe", "console", "lifecycle"))
BAD, START, LOCKS, ENV = (f"integration/test_{name}.py" for name in ("bad_input", "start", "locks", "environment"))
FILES, MOUNTS, GROUPS, HOST = (f"integration/test_{name}.py" for name in ("host_files", "custom_mounts", "cgroup", "run_host"))
HERE, RECORDS, PROBES, CLIENTS = (f"callers/test_{name}.py" for name in ("contract", "callers", "probes", "clients"))

POINTS = {
    "1. The payload's exit status is returned unchanged, 133 only for a reboot under --keep-unit; 1 and a sentence for failures of ours": {
        EXIT: ["test_every_exit_code_passes_through", "test_a_death_by_signal_exits_1_and_names_the_signal",
               "test_a_death_by_signal_under_the_stub_exits_255", "test_killed_from_outside_by_signal_exits_1",
               "test_a_missing_program_is_named"],
        LIFE: ["test_a_power_off_inside_ends_with_0", "test_with_keep_unit_a_reboot_is_the_managers_business",
               "test_a_reboot_inside_starts_it_again"],
        BAD: ["test_a_bad_value_is_refused"],
        HERE: ["test_133_is_a_reboot_only_with_keep_unit"],
    },
    "2. Options stop at the first word or at --; letters glued; --opt=V and --opt V": {
        EXIT: ["test_options_end_at_the_first_word_and_at_two_dashes"],
        BAD: ["test_abbreviations", "test_a_missing_value_is_refused"],
        MOUNTS: ["test_the_two_word_spelling"],
        HERE: ["test_a_value_may_be_a_word_of_its_own", "test_letters_are_glued"],
    },
    "3. -q silences our chatter, errors stay on stderr, nothing of ours is on stdout": {
        START: ["test_dry_quiet_says_nothing_at_all", "test_its_own_words_go_to_stderr_only"],
        HERE: ["test_quiet_through_every_end", "test_errors_stay_on_stderr"],
        RECORDS: ["test_the_record_of_a_caller"],
    },
    "4. Pipes are the payload's own streams; autopipe; without a terminal one to read from": {
        PIPE: ["test_stdout_and_stderr_stay_apart", "test_the_descriptors_are_the_callers_own", "test_no_byte_is_changed_on_the_way_out",
               "test_all_bytes_go_through_both_ways", "test_64_mebibytes_arrive_bit_for_bit", "test_end_of_file_is_delivered",
               "test_the_default_without_a_terminal_is_one_to_read_from", "test_there_is_no_terminal_in_pipe_mode"],
        CONSOLE: ["test_the_matrix", "test_pipe_on_a_terminal_hands_nothing_over"],
    },
    "5. No bus is needed": {
        HERE: ["test_no_bus_is_needed", "test_inside_another_machine"],
        GROUPS: ["test_without_a_writable_group_it_goes_on_and_says_so_once", "test_without_any_cgroup2_mount_it_goes_on"],
    },
    "6. --property= and --slice= are accepted": {
        BAD: ["test_what_callers_pass_that_has_no_effect_here"],
        HERE: ["test_properties_that_callers_set"],
    },
    "7. -a is a reaping stub, and what is left dies with the machine": {
        START: ["test_as_pid2_runs_the_command_as_the_second_process", "test_as_pid2_passes_the_exit_code", "test_as_pid2_reaps_orphans"],
        LOCKS: ["test_nobody_outlives_a_killed_supervisor"],
        GROUPS: ["test_processes_the_machine_left_in_groups_are_ended"],
        HERE: ["test_daemons_die_with_the_command"],
    },
    "8. --resolv-conf=off and --timezone=off leave the files alone": {
        FILES: ["test_off_touches_nothing", "test_zone_off", "test_the_file_is_made_like_the_hosts"],
        HERE: ["test_off_leaves_the_tree_as_it_is"],
    },
    "9. A bind without a colon is at the same path, targets are made, \\: escapes, options combine": {
        MOUNTS: ["test_a_directory_at_the_same_place", "test_escapes_in_both_fields", "test_a_file_onto_a_new_and_an_old_file",
                 "test_the_whole_of_dev", "test_a_socket", "test_a_device_node"],
        HERE: ["test_options_of_a_bind_combine"],
    },
    "10. The environment is ours alone, with what --setenv= says; our own variables are heard": {
        ENV: ["test_the_whole_environment_and_nothing_else", "test_setenv_adds_imports_and_overrides"],
        RECORDS: ["test_the_record_of_a_caller"],
        HERE: ["test_no_tmpfs_on_tmp", "test_no_filter", "test_no_colours", "test_the_log_level"],
    },
    "11. Nothing is left behind; several at once; the lock beside the tree": {
        LOCKS: ["test_the_lock_is_beside_the_tree_while_it_runs", "test_many_at_once", "test_runtime_files_go_with_the_machine",
                "test_killed_at_any_moment_nothing_stays"],
        LIFE: ["test_many_reboots_leave_nothing"],
        START: ["test_nothing_else_is_made_in_the_tree"],
        "conftest.py": ["leaves_nothing"],
    },
    "Programs inside see what they are in": {
        HOST: [],
        HERE: ["test_what_is_looked_for_inside"],
    },
    "Programs outside enter it, and start it as a service": {
        LIFE: ["test_the_kill_signal_is_sent_first", "test_readiness_waits_for_the_guest_on_request", "test_the_manager_is_told"],
        HERE: ["test_it_can_be_entered_by_its_only_child", "test_timeout_ends_it", "test_a_program_of_another_machine_is_told"],
    },
    "Probes": {
        PROBES: ["test_debspawn_splits_the_version_on_blanks", "test_mkosi_14_takes_the_second_word_as_a_number",
                 "test_ansible_matches_the_version", "test_the_help_has_the_words", "test_mkosi_14_finds_an_option_that_exists"],
        CLIENTS: ["test_mkosi_probes", "test_debspawn_reads_the_version", "test_obs_build_builds"],
    },
}

# What nothing looks after, since there is nothing yet: the manager's verbs and its text.
NOT_YET = {"12. machinectl: list, show, status, terminate, exit statuses": "there is no manager, and no program of that name"}
