/* The Azure port over pkg/azure. */
#pragma once

#include "azure/arm.h"
#include "controller/ports.h"

/* The client is borrowed and must outlive the port. */
struct azure_port azure_port_make(struct arm_client *client);
