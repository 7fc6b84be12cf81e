internal import Machine
internal import TranslationRuntime

extension HartState {
    /// Reads guest memory at a virtual address. Nil leaves the exception in `pendingTrap`.
    @inline(__always)
    mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type, at address: UInt64
    ) -> Value? {
        let entry = data.entry(address)
        if SoftwareTLB.Entry.covers(entry.pointee.readTag, address, size: MemoryLayout<Value>.size) {
            return host(entry.pointee.addend &+ address).loadUnaligned(as: type)
        }
        guard let value = loadSlow(address, size: MemoryLayout<Value>.size) else { return nil }
        return Value(truncatingIfNeeded: value)
    }

    /// Writes guest memory at a virtual address. False leaves the exception in `pendingTrap`.
    @inline(__always)
    mutating func store<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ value: Value, at address: UInt64
    ) -> Bool {
        let entry = data.entry(address)
        if SoftwareTLB.Entry.covers(entry.pointee.writeTag, address, size: MemoryLayout<Value>.size) {
            host(entry.pointee.addend &+ address).storeBytes(of: value, as: Value.self)
            return true
        }
        return storeSlow(address, size: MemoryLayout<Value>.size, value: UInt64(value))
    }

    @inline(__always)
    private func host(_ address: UInt64) -> UnsafeMutableRawPointer {
        // Addends of valid entries lead into the mapping of guest memory, which is never at 0.
        UnsafeMutableRawPointer(bitPattern: UInt(address)).unsafelyUnwrapped
    }

    @inline(never)
    private mutating func loadSlow(_ address: UInt64, size: Int) -> UInt64? {
        do throws(Trap) {
            guard crossesPage(address, size: size) else { return try loadInPage(address, size: size) }
            // Both pages must be accessible before anything happens; a device is never accessed in parts.
            let firstCount = Int(4096 - address & 0xFFF)
            _ = try memory(address, size: firstCount, for: .load)
            _ = try memory(address &+ UInt64(firstCount), size: size - firstCount, for: .load)
            var value: UInt64 = 0
            for index in 0..<size {
                value |= try loadInPage(address &+ UInt64(index), size: 1) << UInt64(8 * index)
            }
            return value
        } catch {
            pendingTrap = error
            return nil
        }
    }

    @inline(never)
    private mutating func storeSlow(_ address: UInt64, size: Int, value: UInt64) -> Bool {
        do throws(Trap) {
            guard crossesPage(address, size: size) else {
                try storeInPage(address, size: size, value: value)
                return true
            }
            let firstCount = Int(4096 - address & 0xFFF)
            _ = try memory(address, size: firstCount, for: .store)
            _ = try memory(address &+ UInt64(firstCount), size: size - firstCount, for: .store)
            for index in 0..<size {
                try storeInPage(address &+ UInt64(index), size: 1, value: value >> UInt64(8 * index) & 0xFF)
            }
            return true
        } catch {
            pendingTrap = error
            return false
        }
    }

    private func crossesPage(_ address: UInt64, size: Int) -> Bool { address & 0xFFF > UInt64(4096 - size) }

    private mutating func loadInPage(_ address: UInt64, size: Int) throws(Trap) -> UInt64 {
        switch try resolve(address, size: size, for: .load) {
        case .memory(let pointer):
            return loadBytes(pointer, size: size)
        case .device(let physical):
            guard let value = addressSpace.readDevice(at: physical, size: size) else {
                throw Trap(.loadAccessFault, value: address)
            }
            return value
        }
    }

    private func loadBytes(_ pointer: UnsafeRawPointer, size: Int) -> UInt64 {
        switch size {
        case 1: UInt64(pointer.load(as: UInt8.self))
        case 2: UInt64(pointer.loadUnaligned(as: UInt16.self))
        case 4: UInt64(pointer.loadUnaligned(as: UInt32.self))
        default: pointer.loadUnaligned(as: UInt64.self)
        }
    }

    private func storeBytes(_ pointer: UnsafeMutableRawPointer, size: Int, value: UInt64) {
        switch size {
        case 1: pointer.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 2: pointer.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        case 4: pointer.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        default: pointer.storeBytes(of: value, as: UInt64.self)
        }
    }

    private mutating func storeInPage(_ address: UInt64, size: Int, value: UInt64) throws(Trap) {
        switch try resolve(address, size: size, for: .store) {
        case .memory(let pointer):
            storeBytes(pointer, size: size, value: value)
        case .device(let physical):
            guard addressSpace.writeDevice(at: physical, size: size, value: value) else {
                throw Trap(.storeAccessFault, value: address)
            }
        }
    }

    /// What answers at a virtual address.
    private enum Target {
        case memory(UnsafeMutableRawPointer)
        /// A guest-physical address outside of memory.
        case device(UInt64)
    }

    /// Translates an access inside one page, and enters the page into the TLB when it is memory.
    private mutating func resolve(_ address: UInt64, size: Int, for kind: AccessKind) throws(Trap) -> Target {
        var translation = try translate(address, count: UInt64(size), for: kind, in: dataContext)
        guard let page = hostAddress(of: translation.page, count: 4096) else {
            // Not entered into the TLB: the guest's next command may put the device's registers in its place.
            if kind == .load, let bytes = addressSpace.loadable(at: translation.page, count: 4096) {
                // Nothing stores through the pointer of a load.
                return .memory(UnsafeMutableRawPointer(mutating: bytes) + Int(address & 0xFFF))
            }
            guard address & UInt64(size - 1) == 0 else { throw Trap(kind.misaligned, value: address) }
            return .device(translation.page | address & 0xFFF)
        }
        if kind == .store { codeWatch?.noteStore(page) }
        if translation.writable, codeWatch?.mayWrite(page, at: address) == false { translation.writable = false }
        if translation.isUniform {
            data.insert(
                address, host: page,
                SoftwareTLB.Page(
                    isReadable: translation.readable, isWritable: translation.writable, size: translation.size,
                    isGlobal: translation.isGlobal))
        }
        return .memory(page + Int(address & 0xFFF))
    }

    /// Makes sure that the TLB answers for all bytes from `first` to `last`. False when they are not in one page of memory
    /// that may be accessed so; nothing has happened then.
    mutating func enterDataPage(_ first: UInt64, last: UInt64, for kind: AccessKind) -> Bool {
        guard first & ~0xFFF == last & ~0xFFF else { return false }
        do throws(Trap) {
            _ = try resolve(first, size: 1, for: kind)
        } catch {
            return false
        }
        let entry = data.entry(first)
        return (kind == .load ? entry.pointee.readTag : entry.pointee.writeTag) == first & ~0xFFF
    }

    /// The host address of an access inside one page that only memory can serve: atomics, cache blocks, page crossings.
    mutating func memory(_ address: UInt64, size: Int, for kind: AccessKind) throws(Trap) -> UnsafeMutableRawPointer {
        guard case .memory(let pointer) = try resolve(address, size: size, for: kind) else {
            throw Trap(kind.accessFault, value: address)
        }
        return pointer
    }

    /// The host address of an aligned atomic access; nil leaves the exception in `pendingTrap`.
    @inline(__always)
    mutating func atomicAddress(_ address: UInt64, size: Int, for kind: AccessKind) -> UnsafeMutableRawPointer? {
        let entry = data.entry(address)
        let tag = kind == .load ? entry.pointee.readTag : entry.pointee.writeTag
        if address & UInt64(size - 1) == 0, SoftwareTLB.Entry.covers(tag, address, size: 1) {
            return host(entry.pointee.addend &+ address)
        }
        return atomicAddressSlow(address, size: size, for: kind)
    }

    @inline(never)
    private mutating func atomicAddressSlow(
        _ address: UInt64, size: Int, for kind: AccessKind
    ) -> UnsafeMutableRawPointer? {
        do throws(Trap) {
            guard address & UInt64(size - 1) == 0 else { throw Trap(kind.misaligned, value: address) }
            return try memory(address, size: size, for: kind)
        } catch {
            pendingTrap = error
            return nil
        }
    }
}
