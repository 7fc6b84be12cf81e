internal import Glibc
internal import GuestMemory
package import HostSystem
internal import HostX86_64
internal import SavedState
internal import Translator

/// Files of code that went along with saved machines.
package enum SavedCodeFile {
    /// Whether the code of two files is for the same program, processor, form of the guest's instruction set, and size of the code cache. False
    /// when one of them is damaged.
    package static func haveOneOrigin(_ first: borrowing FileDescriptor, _ second: borrowing FileDescriptor) -> Bool {
        guard let one = try? SavedCodeHeader(of: first) else { return false }
        return (try? SavedCodeHeader(of: second))?.origin == one.origin
    }

    /// Whether a file is as it was written, its code included. All of it is read.
    package static func isIntact(_ file: borrowing FileDescriptor) -> Bool {
        guard let code = try? SavedCode(file, nil) else { return false }
        return (try? code.isIntact(in: file)) ?? false
    }
}

/// Code that goes along with a saved machine.
extension TranslationStore {
    /// Where code of this store can be used; nil where nobody can tell.
    private var origin: SavedCodeHeader.Origin? {
        guard let build else { return nil }
        let generator = builder.generator
        let shared = UnsafeRawBufferPointer(start: cache.executableBase, count: generator.firstBlock)
        // Without the addresses, which other processes have elsewhere.
        let checksum = CRC32C.checksum(
            of: Array(shared[..<generator.pointers.lowerBound]),
            UnsafeRawBufferPointer(rebasing: shared[generator.pointers.upperBound...]))
        return SavedCodeHeader.Origin(
            build: build, processor: HostGenerator.processor, variant: frontEnd.variant, capacity: cache.capacity,
            sharedSize: generator.firstBlock, sharedChecksum: checksum)
    }

    /// Before anything is translated. False when the code is not for this store, or damaged.
    ///
    /// - Parameter isForBoot: the code is of another machine that has booted the same guest. It grows from one to the next: where there is little
    ///   room left, it is not used.
    func adopt(_ file: borrowing FileDescriptor, isForBoot: Bool) -> Bool {
        guard let origin else { return false }
        do {
            let saved = try SavedCode(file, origin)
            guard !isForBoot || saved.hasMuchRoom, segments.adopt(saved.fills, saved.streams) else { return false }
            let code = (0..<CodeSegments.count).map { segments.code(of: $0) }.filter { !$0.isEmpty }
            try cache.adopt(code, behind: origin.sharedSize, from: file, at: SavedCodeHeader.codeOffset)
            self.saved = saved
            saved.isForBoot = isForBoot
            // Copies of a machine that boots have need of what it generates itself.
            shared = isForBoot ? nil : SharedCode(of: file, count: segments.generated)
            adopted = (saved, shared)
            return true
        } catch { return false }
    }

    /// Takes over translations that were saved, if they are of a guest-physical page's contents and it has none.
    ///
    /// - Parameters:
    ///   - virtual: the page that shows it; nil when it is not known.
    ///   - generation: what was found out about the page in that one, or a later one, holds; nil for nothing.
    func adoptPage(_ physical: UInt64, at virtual: UInt64? = nil, _ generation: UInt64? = nil) {
        guard let saved, pages[physical]?.hasCode != true, !lookups.has(physical, generation),
            let source = memory.hostAddress(of: physical, count: UInt64(TranslatedPage.size))
        else { return }
        saved.findRecords(of: physical, source) { number, bytes, isMoved in
            do throws(DamagedCode) {
                let record = try SavedPage(bytes, number: number, in: memory)
                guard record.isFor(source), mayTake(record, at: virtual, isMoved: isMoved),
                    let page = page(physical, source, for: record)
                else { return false }
                saved.give(number, to: page)
                noteContinuations(of: page)
                counts.adoptedPages += 1
                return true
            } catch {
                // Nothing knows its code, and it is translated anew.
                saved.spend(number)
                counts.damagedPages += 1
                return false
            }
        }
        if pages[physical]?.hasCode != true { lookups.note(physical, generation) }
    }

    /// Whether a page that is shown at a virtual one may have the code of a record.
    ///
    /// - Parameter isMoved: it was saved of another guest-physical page.
    private func mayTake(_ record: SavedPage, at virtual: UInt64?, isMoved: Bool) -> Bool {
        // Of programs that are elsewhere after each boot, code for one address only takes the place of relative code.
        if saved?.isForBoot == true, let virtual, !record.isRelative, record.virtual != virtual { return false }
        guard isMoved else { return true }
        // A processor may still execute code of a page that has changed elsewhere, until it is told. It must not come to another page's.
        if !isAlone, saved?.wasGiven(record.number) == true { return false }
        // Regions that go on in another page know its address.
        return record.continuations.isEmpty && (record.isRelative || record.virtual == virtual)
    }

    /// A page with the code of a record; nil where there is one with other code.
    private func page(_ physical: UInt64, _ source: UnsafeRawPointer, for record: SavedPage) -> TranslatedPage? {
        let known = pages[physical].flatMap { record.isRelative ? $0.relative : $0.first }
        guard let known else {
            let page = TranslatedPage(physical: physical, source: source, record, in: memory, round: round)
            page.keeper = replaced
            pages[physical, default: PageTranslations()].insert(page)
            return page
        }
        // Processors may still know it: it is not let go.
        guard !known.hasCode, record.isRelative || known.virtual == record.virtual else { return nil }
        known.take(record, in: memory)
        known.forgetVerification()
        return known
    }

    /// The entry of a block, if it has code.
    func entry(_ offset: Int, of page: TranslatedPage) -> TranslatedPage.Entry? {
        guard let record = page.record else { return page.entries[offset] }
        return record.entry(at: offset, segments, base: cache.executableBase)
    }

    /// Has all of a page at hand, so that it can change.
    func load(_ page: TranslatedPage) {
        guard let record = page.record else { return }
        saved?.spend(record.number)
        do throws(DamagedCode) {
            try page.load(record, segments, base: cache.executableBase)
        } catch {
            page.removeBlocks()
            counts.damagedPages += 1
        }
    }

    /// Has all pages at hand that were asked for: segments can be freed afterwards. Nothing knows the code of the others any more.
    func loadAllPages() {
        guard let saved else { return }
        forEachPage { load($0) }
        saved.takeBack()
        self.saved = nil
    }

    /// The file with nearly all code that there is now; nil when there is none such.
    func sharedFile() throws(SystemError) -> FileDescriptor? {
        guard !isRemoving, let shared, shared.hasNearlyAll(of: segments.generated) else { return nil }
        return try FileDescriptor(duplicating: shared.file.rawValue)
    }

    /// Code that was stored in a file is there for all copies of the machine.
    func share(_ file: borrowing FileDescriptor) { shared = SharedCode(of: file, count: segments.generated) }

    /// Writes all code into an empty file. False when there is none, or it is being removed.
    func save(to file: borrowing FileDescriptor) throws(SystemError) -> Bool {
        guard !isRemoving, let origin else { return false }
        if let storage, storage.size > segments.used { return try SavedCode.copy(storage.file, to: file) }
        var records = SavedCode.Records()
        saved?.forEachFree { records.add($0, imprint: $1, Array($2)) }
        let base = cache.executableBase
        for page in replaced?.pages ?? [] {
            if let bytes = page.saved(in: memory, segments, base: base) {
                records.add(page.physical, imprint: 0, bytes)
            }
        }
        forEachPage { page in
            guard let bytes = page.saved(in: memory, segments, base: base) else { return }
            records.add(page.physical, imprint: page.savedImprint, bytes)
        }
        guard !records.isEmpty else { return false }
        let encoded = records.encoded(segments)
        let step = SavedCodeHeader.codeOffset
        let pagesOffset = step + (cache.capacity + step - 1) / step * step
        var crc = CRC32C()
        for index in 0..<CodeSegments.count {
            let code = segments.code(of: index)
            let bytes = UnsafeRawBufferPointer(start: cache.executableBase + code.lowerBound, count: code.count)
            try file.writeAll(at: UInt64(step + code.lowerBound), bytes)
            crc.update(bytes)
        }
        let header = SavedCodeHeader(
            origin, pagesOffset: pagesOffset, pagesSize: encoded.count,
            pagesChecksum: CRC32C.checksum(of: encoded), codeChecksum: crc.checksum)
        try file.writeAll(at: UInt64(pagesOffset), encoded)
        // Last: a file without it is none.
        try file.writeAll(at: 0, header.encoded)
        replaced?.end()
        return true
    }
}

/// A file with a machine's code that does not change, for copies of the machine.
final class SharedCode {
    /// Code beyond that in the file, in percent of that, with which the file is not used any more: a copy generates it again.
    private static let muchNewCode = 25

    let file: FileDescriptor
    /// Bytes of code that were generated when the file was made.
    private let count: Int

    /// - Returns: nil where the process may open no more files.
    init?(of file: borrowing FileDescriptor, count: Int) {
        do throws(SystemError) {
            self.file = try FileDescriptor(duplicating: file.rawValue)
        } catch { return nil }
        self.count = count
    }

    func hasNearlyAll(of generated: Int) -> Bool { generated - count <= count / 100 * Self.muchNewCode }
}
