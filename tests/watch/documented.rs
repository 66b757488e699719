//! The events that docs/hot-reload-watch.md shows.
