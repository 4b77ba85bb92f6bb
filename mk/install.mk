# SPDX-License-Identifier: MIT
# make install [PREFIX=/usr/local] [LIBDIR=PREFIX/lib] [DESTDIR=]: both libraries, headers,
# pkg-config files, manual pages; make uninstall with the same words takes them away.
#
#     loam.pc           the core, out of the archive (the shared library has none of it)
#     loam-malloc.pc    the shared library: a program's malloc
#
# loam/port.h asks for loam_port.h on the include path; the hosted one is installed in
# include/loam/hosted, where loam.pc points. A kernel puts its own folder there instead.

VERSION := 0.1.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=

MAN_PAGES := $(wildcard docs/man/*.[1-9])
PC_FILES := loam.pc loam-malloc.pc

# What is there afterwards, without DESTDIR; uninstall takes away the same.
INSTALLED = $(addprefix $(INCLUDEDIR)/,$(patsubst include/%,%,$(wildcard include/loam/*.h))) \
    $(addprefix $(INCLUDEDIR)/loam/hosted/,$(notdir $(wildcard port/hosted/*.h))) \
    $(LIBDIR)/libloam.a $(LIBDIR)/libloam.so.$(SO_VERSION) $(LIBDIR)/libloam.so \
    $(PC_FILES:%=$(LIBDIR)/pkgconfig/%) \
    $(foreach page,$(MAN_PAGES),$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

.PHONY: install uninstall
install: build/host/libloam.a build/host/libloam.so
install: ## libraries, headers, manual, below DESTDIR, PREFIX, LIBDIR
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	$(Q)install -m 644 include/loam/*.h $(DESTDIR)$(INCLUDEDIR)/loam
	$(Q)install -m 644 port/hosted/*.h $(DESTDIR)$(INCLUDEDIR)/loam/hosted
	$(Q)install -m 644 build/host/libloam.a build/host/libloam.so.$(SO_VERSION) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf libloam.so.$(SO_VERSION) $(DESTDIR)$(LIBDIR)/libloam.so
	$(Q)for page in $(MAN_PAGES); do \
	    install -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.} || exit; done
	$(Q)for file in $(PC_FILES); do \
	    sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
	        -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' mk/$$file.in \
	        >$(DESTDIR)$(LIBDIR)/pkgconfig/$$file || exit; done

# Folders go when they are empty, and only those that no other program has a part in.
uninstall: ## takes away what install with the same words put there
	$(call say,REMOVE,$(DESTDIR)$(PREFIX))
	$(Q)rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	$(Q)rmdir $(DESTDIR)$(INCLUDEDIR)/loam/hosted $(DESTDIR)$(INCLUDEDIR)/loam 2>/dev/null || true
