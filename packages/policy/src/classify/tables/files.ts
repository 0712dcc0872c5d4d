import { valueOf } from '../../parse/simple-command.ts'
import { type CheckTable, alwaysChanges, alwaysDeletes, each, hasOption, readsWith } from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

/** Programs that delete, empty, replace or write files and devices. */
export const fileTable: CheckTable = {
  ...each('rm rmdir unlink shred srm trash wipe', alwaysDeletes('deletes files')),
  ...each('truncate fallocate', alwaysDeletes('can empty files')),
  ...each(
    'mkfs mke2fs mkswap wipefs blkdiscard mkfs.ext2 mkfs.ext3 mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.fat mkfs.ntfs mkdosfs mkntfs',
    alwaysDeletes('puts a new file system over what was there'),
  ),
  ...each('fdisk sfdisk cfdisk gdisk sgdisk parted partprobe', partitions),
  ...each('lvremove vgremove pvremove lvreduce vgreduce', alwaysDeletes('removes volumes')),
  ...each('lvcreate lvextend vgcreate vgextend pvcreate resize2fs xfs_growfs', alwaysChanges('changes volumes')),
  ...each('cryptsetup mdadm', alwaysDeletes('can remove or overwrite volumes')),
  ...each('zfs zpool btrfs', volumes),
  mv: unlessOption(/^(?:-[a-zA-Z]*n[a-zA-Z]*|--no-clobber)$/, 'may replace what is there'),
  ...each('cp install', (words) =>
    words.some((word) => /^\/dev\/(?:null|zero|full)$/.test(valueOf(word) ?? '')) ||
    hasOption(words, 'remove-destination')
      ? deletes('empties or replaces what it writes to')
      : changes('writes files'),
  ),
  ln: (words) =>
    words.some(({ values, start }) => /^(?:-[a-zA-Z]*f|--f)/.test(values?.[0] ?? start))
      ? deletes('replaces what is there')
      : changes('makes links'),
  tee: (words) => {
    const texts = words.map(valueOf)
    if (texts.includes('--')) return deletes('empties what it writes to')
    const targets = texts.filter((text) => text === undefined || !text.startsWith('-'))
    const isKnown = texts.every(
      (text) => text !== undefined && /^(?:[^-]|-[aip]+$|--(?:append|ignore-interrupts)$)/.test(text),
    )
    if (isKnown && targets.every((text) => text === '/dev/null' || text === '/dev/stderr')) return READS
    return texts.some((text) => /^(?:-[a-z]*a[a-z]*|--append)$/.test(text ?? ''))
      ? changes('adds to files')
      : deletes('empties what it writes to')
  },
  dd: (words) => {
    const target = words.find(({ values, start }) => (values?.[0] ?? start).startsWith('of='))
    if (words.some(({ values }) => values === undefined)) return unclear('may write anywhere')
    if (target !== undefined && !/^of=\/dev\/(?:null|stdout)$/.test(valueOf(target) ?? ''))
      return deletes('writes over what is there')
    const isKnown = words.every((word) =>
      /^(?:if|of|bs|ibs|obs|count|skip|seek|iflag|oflag|conv|status)=/.test(valueOf(word) ?? ''),
    )
    return isKnown ? READS : unclear('is not known with these words')
  },
  rsync: checkRsync,
  ...each('scp sftp', alwaysChanges('copies files between machines')),
  ...each('touch mkdir mkfifo mknod mktemp', alwaysChanges('makes files')),
  ...each('chmod chown chgrp chattr setfacl setcap', alwaysChanges('changes who may do what with files')),
  ...each('patch split csplit', alwaysChanges('writes files')),
  ...each(
    'gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 compress uncompress',
    alwaysDeletes('replaces a file by another'),
  ),
  ...each('umount losetup', alwaysChanges('changes what is mounted')),
  ...each('zip 7z 7za rar', alwaysChanges('writes archives')),
  logrotate: alwaysDeletes('removes old logs'),
  'update-alternatives': alwaysChanges('changes links'),
}

function unlessOption(option: RegExp, reason: string): Check {
  return (words) =>
    words.some(({ values }) => option.test(values?.[0] ?? '')) ? changes('moves files') : deletes(reason)
}

/** A dry run of what is copied within this machine, or by way of ssh, changes nothing. */
const rehearses = readsWith(
  '-navzrltpgoDHhixucPWSAXLkCI --dry-run --archive --verbose --compress --recursive --delete --delete-after --delete-before --delete-during --delete-excluded --itemize-changes --stats --progress --human-readable --checksum --update --links --times --perms --owner --group --existing --ignore-existing --size-only --partial --numeric-ids --relative --exclude= --include= --bwlimit= --max-size= --min-size= --timeout= --compare-dest=',
  { needs: 'n dry-run' },
)

function checkRsync(...[words, command]: Parameters<Check>): ReturnType<Check> {
  if (rehearses(words, command).class === 'read') return READS
  const texts = words.map(valueOf)
  if (texts.some((text) => text === undefined || /^(?:-e|--rsh|--rsync-path)/.test(text) || /^-[a-z]+e$/.test(text)))
    return unclear('may run something')
  return texts.some((text) => /^--(?:del|remove-source|force|inplace)/.test(text ?? ''))
    ? deletes('deletes what the source does not have')
    : changes('writes files')
}

function partitions(...[words]: Parameters<Check>): ReturnType<Check> {
  const texts = words.map(valueOf)
  const isList = texts[0] === '-l' || texts[0] === '--list' || texts[0] === '-p'
  if (isList && texts.every((text) => text !== undefined && /^(?:-l|--list|-p|\/dev\/\w+)$/.test(text))) return READS
  return deletes('can remove partitions')
}

/** Volumes: what lists is named, and what removes. */
function volumes(...[words]: Parameters<Check>): ReturnType<Check> {
  const texts = words.map(valueOf)
  if (texts.includes(undefined)) return unclear('is not known before it runs')
  if (texts.some((text) => text?.startsWith('-c') === true)) return unclear('may run something')
  const reading = /^(?:list|get|status|iostat|history|show|df|usage|holds)$/
  // Options of lists; those of `status` that run a script, or write, are not among them.
  const isKnown = texts.every((text) => /^(?:[^-]|-(?:[HprvTjLPghsbixDelqyw]+|[oStd]+|o.*)$)/.test(text ?? ''))
  const isReading =
    reading.test(texts[0] ?? '') ||
    (/^(?:filesystem|subvolume|device|scrub)$/.test(texts[0] ?? '') && reading.test(texts[1] ?? ''))
  if (isReading && isKnown) return READS
  return texts.some((text) => /^(?:destroy|delete|rollback|remove|del|labelclear|detach|offline)$/.test(text ?? ''))
    ? deletes('removes volumes or their older states')
    : changes('changes volumes')
}
