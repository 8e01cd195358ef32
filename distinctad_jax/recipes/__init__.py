"""The only rooms where parts meet: one file per config, each makes one artefact out of earlier ones."""
