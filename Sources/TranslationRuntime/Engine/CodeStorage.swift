internal import HostSystem

/// A file in which a machine that removes its code stores it first, for later copies of the machine.
///
/// The machine itself does not read it: it generates the code anew that it needs.
final class CodeStorage {
    let file: FileDescriptor
    /// Bytes of code in the file.
    private(set) var size = 0

    init(_ file: consuming FileDescriptor) { self.file = file }

    /// Stores the code of a store, unless the file has more, which was stored before, or another file has nearly all.
    func store(_ store: TranslationStore) {
        let used = store.segments.used
        guard used > size, !store.hasAdoptedNearlyAll else { return }
        do throws(SystemError) {
            size = 0
            // A file without its header is none, so that an error leaves none behind.
            try file.truncate(to: 0)
            if try store.save(to: file) { size = used }
        } catch { try? file.truncate(to: 0) }
    }
}
