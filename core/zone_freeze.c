/* SPDX-License-Identifier: MIT */
/* zone_freeze.c - every lock of a zone at once.
 *
 * WHAT   Keeps all others out of the areas and the top level, while a process is copied.
 * MODEL      area 0, area 1, ... area n, top level      taken in this order, given back from behind
 * RULES  -
 * LOCKS  All of the zone's, in the order in which others take them.
 * COST   O(areas)
 * FROM   -
 * NOT    Fronts: they have no lock, and their owners are anywhere.
 */
#include "zone_impl.h"

loam_irq loam_zone_freeze(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    for (uint32_t i = 0; i < zone->nareas; i++)
        (void)zone_area_lock(&zone->area[i]);
    if (zone->top != NULL)
        (void)zone_top_lock(zone->top);
    return irq;
}

void loam_zone_thaw(loam_zone *zone, loam_irq irq, bool alone)
{
    loam_irq none = loam_port_irq_save();
    if (zone->top != NULL)
        zone_top_unlock(zone->top, none);
    for (uint32_t i = zone->nareas; i-- > 0;)
        zone_area_unlock(&zone->area[i], none);
    if (alone)
        loam_atomic_store(&zone->waiting, 0); /* no order: nobody else is there */
    loam_port_irq_restore(irq);
}
