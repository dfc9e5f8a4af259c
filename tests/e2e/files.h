/* Scratch folders, files that programs write when they are ready, and free ports. */
#pragma once

#include "e2e/process.h"

/* A new folder inside parent, or inside the system's place for temporary files when NULL. The caller frees the path. */
char *make_scratch(const char *parent);
/* Removes a folder with all that is in it; NULL is fine. */
void remove_tree(const char *dir);
void write_file(const char *path, const char *text);
/* The first line of a file, once there is one; NULL when the process has ended or the time is over. */
char *await_line(const char *path, struct process *process, int64_t timeout_ms);
/* A port of 127.0.0.1 on which nobody listens at the moment. */
int free_port(void);
