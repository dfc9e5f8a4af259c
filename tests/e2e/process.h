/* Child processes of the end-to-end tests: started with their output in files, ended for certain.
 *
 * A child dies with the thread that started it, so that a test that is killed leaves nothing behind. Waiting has a
 * deadline everywhere. Failing to start a program at all ends the test program: nothing can be tested then. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PROCESS_MAX_ARGS 64
#define PROCESS_MAX_ENV 16

/* Everything is borrowed for the time of the call. */
struct process_spec {
    const char *name;                   /* for messages */
    const char *argv[PROCESS_MAX_ARGS]; /* up to the first NULL; argv[0] is looked for in PATH */
    const char *env[PROCESS_MAX_ENV];   /* "NAME=value" on top of ours; "NAME" takes it away */
    const char *out, *err;              /* files to append to; err NULL: same as out; out NULL: nowhere */
};

struct process;
struct process *process_start(const struct process_spec *spec);
pid_t process_pid(const struct process *process);
/* True when it has ended by then, and its status as a shell shows it (128 + the signal). */
bool process_wait(struct process *process, int64_t timeout_ms, int *ret_status);
void process_signal(struct process *process, int number);
/* SIGTERM, after ten seconds SIGKILL; waits and frees. Accepts and returns NULL. */
struct process *process_end(struct process *process);
/* SIGKILL; waits and frees. Accepts and returns NULL. */
struct process *process_kill(struct process *process);

/* Runs to the end and gives what it printed, both streams in one; -1 when it took longer, with what there is. */
int process_run(const struct process_spec *spec, int64_t timeout_ms, struct buf *ret_output);

/* The last max bytes of a file, line by line and indented, under a heading. */
void print_tail(const char *heading, const char *path, size_t max, FILE *out);
