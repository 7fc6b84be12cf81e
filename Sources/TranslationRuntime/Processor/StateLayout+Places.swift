package import Translator

// Where the runtime's parts of a processor's state are, for generated code. Stored properties of a struct in memory are at fixed
// offsets, which their addresses tell.
extension StateLayout {
    /// Sets the places of a `TranslationState`.
    ///
    /// - Parameter base: the start of the processor's state, of which the other one is a part.
    package mutating func place(_ translation: UnsafeMutablePointer<TranslationState>, from base: UnsafeRawPointer) {
        codePage = withUnsafePointer(to: &translation.pointee.codePage) { UnsafeRawPointer($0) - base }
        exitReason = withUnsafePointer(to: &translation.pointee.exitReason) { UnsafeRawPointer($0) - base }
        accessFailed = withUnsafePointer(to: &translation.pointee.accessFailed) { UnsafeRawPointer($0) - base }
        floats.ready = withUnsafePointer(to: &translation.pointee.floatReady) { UnsafeRawPointer($0) - base }
        floats.control = withUnsafePointer(to: &translation.pointee.floatControl) { UnsafeRawPointer($0) - base }
        jumps.second = secondLevel(translation, from: base)
    }

    private func secondLevel(
        _ translation: UnsafeMutablePointer<TranslationState>, from base: UnsafeRawPointer
    ) -> JumpLayout.SecondLevel {
        typealias Second = JumpLayout.SecondLevel
        let entry = MemoryLayout<LookupCache.Entry>.self
        precondition(
            entry.stride == Second.entrySize && entry.offset(of: \.address) == Second.addressOffset
                && entry.offset(of: \.page) == Second.pageOffset
                && entry.offset(of: \.generation) == Second.generationOffset
                && entry.offset(of: \.code) == Second.codeOffset, "generated code reads the entries")
        return Second(
            entries: withUnsafePointer(to: &translation.pointee.lookups.entries) { UnsafeRawPointer($0) - base },
            count: LookupCache.size, lowBit: UInt8(LookupCache.lowBit), hashShift: UInt8(LookupCache.hashShift),
            anyPage: Int32(LookupCache.anyPage),
            generation: withUnsafePointer(to: &translation.pointee.generation) { UnsafeRawPointer($0) - base })
    }

    /// Sets the places of a software TLB.
    package mutating func place(_ data: UnsafeMutablePointer<SoftwareTLB>, from base: UnsafeRawPointer) {
        let entry = MemoryLayout<SoftwareTLB.Entry>.self
        precondition(
            entry.stride == StateLayout.TLBLayout.entrySize
                && entry.offset(of: \.readTag) == StateLayout.TLBLayout.readTag
                && entry.offset(of: \.writeTag) == StateLayout.TLBLayout.writeTag
                && entry.offset(of: \.addend) == StateLayout.TLBLayout.addend, "generated code reads the entries")
        memory.entries = withUnsafePointer(to: &data.pointee.current) { UnsafeRawPointer($0) - base }
        memory.count = SoftwareTLB.size
        memory.secondEntries = withUnsafePointer(to: &data.pointee.second) { UnsafeRawPointer($0) - base }
        memory.secondCount = SoftwareTLB.secondSize
        memory.secondFactor = SoftwareTLB.hashFactor
        memory.generation = withUnsafePointer(to: &data.pointee.generation) { UnsafeRawPointer($0) - base }
        memory.recent = withUnsafePointer(to: &data.pointee.recent) { UnsafeRawPointer($0) - base }
        memory.recentUsed = withUnsafePointer(to: &data.pointee.recentUsed) { UnsafeRawPointer($0) - base }
    }

    /// Sets the places of a jump cache.
    package mutating func place(_ fetch: UnsafeMutablePointer<JumpCache>, from base: UnsafeRawPointer) {
        let entry = MemoryLayout<JumpCache.Entry>.self
        precondition(
            entry.stride == StateLayout.JumpLayout.entrySize
                && entry.offset(of: \.address) == StateLayout.JumpLayout.addressOffset
                && entry.offset(of: \.tag) == StateLayout.JumpLayout.tagOffset
                && entry.offset(of: \.operations) == StateLayout.JumpLayout.recordOffset
                && entry.offset(of: \.code) == StateLayout.JumpLayout.codeOffset, "generated code reads the entries")
        jumps.entries = withUnsafePointer(to: &fetch.pointee.current) { UnsafeRawPointer($0) - base }
        jumps.count = JumpCache.size
        jumps.hashShift = UInt8(JumpCache.hashShift)
        jumps.returnTop = withUnsafePointer(to: &fetch.pointee.returns.top) { UnsafeRawPointer($0) - base }
        jumps.tag = withUnsafePointer(to: &fetch.pointee.tag) { UnsafeRawPointer($0) - base }
        let page = MemoryLayout<JumpCache.Page>.self
        precondition(
            page.stride == StateLayout.JumpLayout.pageSize
                && page.offset(of: \.page) == StateLayout.JumpLayout.virtualOffset
                && page.offset(of: \.tag) == StateLayout.JumpLayout.pageTagOffset
                && page.offset(of: \.physical) == StateLayout.JumpLayout.physicalOffset,
            "generated code reads the pages")
        jumps.pages = withUnsafePointer(to: &fetch.pointee.currentPages) { UnsafeRawPointer($0) - base }
        jumps.pageCount = JumpCache.pageCount
    }
}
