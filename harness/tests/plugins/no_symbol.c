/* SPDX-License-Identifier: BSD-3-Clause
 * A shared object of another kind. */

extern int xb_other;
__attribute__((visibility("default"))) int xb_other;
