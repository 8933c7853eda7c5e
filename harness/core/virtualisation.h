/* Whether this system runs on a machine of its own. */
#ifndef XB_CORE_VIRTUALISATION_H
#define XB_CORE_VIRTUALISATION_H

#include "machine.h"

/* `fact`: "none", or like "KVM", "docker container", "KVM, podman container"; "" when nothing
 * could be asked. The processor itself is asked only when `root` is "". */
void xb_virtualisation(const char *root, char fact[XB_FACT_BYTES]);

#endif
