//! Who watches the watch.
