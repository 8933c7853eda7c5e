/* One probe that looks at one program: opened, asked phase by phase, and closed once, whatever fails. */
#ifndef XB_CORE_EYE_H
#define XB_CORE_EYE_H

#include "../probes/probe.h"

struct xb_eye {
    const struct xb_probe *probe;
    void *opened;
    bool is_open;
};

enum xb_eye_step { XB_EYE_BEGIN, XB_EYE_POLL, XB_EYE_END };

/* Opens `probe` on the scene, which has to live until it is closed. Where it cannot, the eye stays
 * closed and `why` says it; otherwise `why` is cleared. */
void xb_eye_open(struct xb_eye *eye, const struct xb_probe *probe, const struct xb_scene *scene,
                 struct xb_reason *why);

/* Calls the step's function; XB_EYE_END first clears `findings`, also of an eye that is closed. A probe
 * that fails is closed and has found nothing, and `why`, which is left alone otherwise, says so. */
void xb_eye_call(struct xb_eye *eye, enum xb_eye_step step, uint64_t now_ns,
                 struct xb_findings *findings, struct xb_reason *why);

/* May be called again, and for an eye that was never open. */
void xb_eye_close(struct xb_eye *eye);

#endif
