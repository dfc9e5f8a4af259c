/* The subcommands. Each gets its own argv (argv[0] is its name) and returns the exit status. */
#pragma once

#define EXIT_USAGE 2

int cmd_controller(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_version(int argc, char **argv);
