/* SPDX-License-Identifier: BSD-3-Clause
 * Calls a probe's functions in their order. */
#include "eye.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void xb_eye_open(struct xb_eye *eye, const struct xb_probe *probe, const struct xb_scene *scene,
                 struct xb_reason *why)
{
    *eye = (struct xb_eye){ .probe = probe };
    *why = (struct xb_reason){ 0 };
    if (probe->probe(why) == 0 && probe->open(scene, &eye->opened, why) == 0) {
        eye->is_open = true;
        *why = (struct xb_reason){ 0 };
    } else if (!why->code) {
        xb_because(why, -EIO, "it cannot work here, and does not say why");
    }
}

void xb_eye_call(struct xb_eye *eye, enum xb_eye_step step, uint64_t now_ns,
                 struct xb_findings *findings, struct xb_reason *why)
{
    const struct xb_probe *probe = eye->probe;
    struct xb_reason said = { 0 };
    if (step == XB_EYE_END)
        *findings = (struct xb_findings){ .overhead = NAN };
    if (!eye->is_open)
        return;
    int err = step == XB_EYE_BEGIN  ? probe->begin(eye->opened, now_ns)
              : step == XB_EYE_POLL ? probe->poll(eye->opened, now_ns)
                                    : probe->end(eye->opened, now_ns, findings, &said);
    if (err) {
        if (step == XB_EYE_END)
            *findings = (struct xb_findings){ .overhead = NAN };
        if (said.text[0])
            *why = said;
        else
            xb_because(why, err, "it failed while watching: %s", strerror(-err));
        xb_eye_close(eye);
    }
}

void xb_eye_close(struct xb_eye *eye)
{
    if (eye->is_open)
        eye->probe->close(eye->opened);
    eye->is_open = false;
}
