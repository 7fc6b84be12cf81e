// Zicbom, Zicboz and Zicbop (Cache Management Operations 1.0.1). Blocks are 64 bytes. The host keeps its caches coherent with
// everything that a guest's devices do, so that the management operations only have to check what they may touch. The prefetches of Zicbop have
// no rows: they are ORI with x0 as destination, a hint that does nothing.

/// Bytes in a cache block, as the device tree says.
package let cacheBlockSize: UInt64 = 64

let cacheBlockInstructions: [Instruction] = [
    Instruction("cbo.inval", .cacheBlock, 0x0000_200F, 0xFFF0_7FFF, of: .zicbom) {
        manageBlock($0, $1, enable: Environment.cbie)
    },
    Instruction("cbo.clean", .cacheBlock, 0x0010_200F, 0xFFF0_7FFF, of: .zicbom) {
        manageBlock($0, $1, enable: Environment.cbcfe)
    },
    Instruction("cbo.flush", .cacheBlock, 0x0020_200F, 0xFFF0_7FFF, of: .zicbom) {
        manageBlock($0, $1, enable: Environment.cbcfe)
    },
    Instruction("cbo.zero", .cacheBlock, 0x0040_200F, 0xFFF0_7FFF, of: .zicboz) { hart, operation in
        let state = hart.state
        let access = state.pointee.accessToBlocks(Environment.cbze)
        guard access == .allowed else { return refuse(hart, operation, access) }
        let address = state.pointee.x[unchecked: Int(operation.operation.pointee.rs1)] & ~(cacheBlockSize - 1)
        guard let block = state.pointee.atomicAddress(address, size: Int(cacheBlockSize), for: .store) else {
            // The address of the trap is the operand's, not the block's (2.5.2).
            let operand = state.pointee.x[unchecked: Int(operation.operation.pointee.rs1)]
            state.pointee.pendingTrap.value = operand
            return trapped(hart, operation)
        }
        block.initializeMemory(as: UInt8.self, repeating: 0, count: Int(cacheBlockSize))
        return operation.next
    },
]

/// cbo.inval, cbo.clean, cbo.flush: allowed where the block may be read or written.
private func manageBlock(
    _ hart: HartReference, _ operation: OperationReference, enable: UInt64
) -> OperationReference? {
    let state = hart.state
    let access = state.pointee.accessToBlocks(enable)
    guard access == .allowed else { return refuse(hart, operation, access) }
    let address = state.pointee.x[unchecked: Int(operation.operation.pointee.rs1)]
    let context = state.pointee.dataContext
    do throws(Trap) {
        _ = try state.pointee.translate(address, count: 1, for: .load, in: context)
    } catch {
        do throws(Trap) {
            _ = try state.pointee.translate(address, count: 1, for: .store, in: context)
        } catch {
            state.pointee.pendingTrap = error
            return trapped(hart, operation)
        }
    }
    return operation.next
}

extension HartState {
    /// The enables of menvcfg for modes below M, of henvcfg for guests, and of senvcfg for U (Privileged Architecture 3.1.18).
    fileprivate mutating func accessToBlocks(_ enable: UInt64) -> CSRAccess {
        if privilege == .machine { return .allowed }
        guard csr.menvcfg & enable != 0 else { return .illegal }
        let isOpen =
            (!isVirtual || csr.hypervisor.henvcfg & enable != 0) && (privilege != .user || csr.senvcfg & enable != 0)
        return isOpen ? .allowed : isVirtual ? .virtual : .illegal
    }
}
