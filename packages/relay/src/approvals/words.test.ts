import { describe, expect, test } from 'vitest'
import { expandBraces } from './braces.ts'
import { wordsOf } from './words.ts'

describe('braces', () => {
  test.each([
    ['./{deploy,x}.sh', ['./deploy.sh', './x.sh']],
    ['{a,b}{1,2}', ['a1', 'a2', 'b1', 'b2']],
    ['{a,{b,c}d}', ['a', 'bd', 'cd']],
    ['{,un}done', ['done', 'undone']],
    ['{c..a}', ['a', 'b', 'c']],
    ['{1..2}.sh', ['1.sh', '1.sh', '2.sh', '2.sh']],
    ['{09..10}', ['9', '09', '10', '10']],
    ['${A,B}', ['${A,B}']],
    ['{}', ['{}']],
    ['{print', ['{print']],
    ['{print}', ['{print}']],
    ['{x{a,b}', ['{xa', '{xb']],
  ])('%s', (word, expanded) => expect(expandBraces(word)).toEqual(expanded))

  test('that stand for too many words are refused, however they are nested', () => {
    for (const word of ['{1..1000}', '{a,b}'.repeat(40), '{1..99}{1..99}', '{0..999999999}'])
      expect(() => expandBraces(word)).toThrow(expect.objectContaining({ code: 'unsupported' }))
    for (const word of ['{'.repeat(4000), '{,'.repeat(2000), `${'{a,'.repeat(100)}${'}'.repeat(100)}`])
      expect(expandBraces(word).length).toBeGreaterThan(0)
  })
})

describe('the words of a command', () => {
  const words = (command: string | string[]) => wordsOf({ command })

  test.each([
    ['bash ./{deploy,x}.sh', './deploy.sh'],
    ['bash ./{"dep"loy,x}.sh', './deploy.sh'],
    ['bash -c "sh ./{deploy,x}.sh"', './deploy.sh'],
    ['bash ./{"my file",x}.sh', './my file.sh'],
    ['sh "$HOME"/run.sh', '~/run.sh'],
    ['sh ./dep"l"*.sh', './depl*.sh'],
  ])('%s', (command, word) => expect(words(command)).toContain(word))

  test('include what an argv passes on', () => {
    expect(words(['bash', '-c', 'sh ./{deploy,x}.sh'])).toContain('./deploy.sh')
  })

  test.each([
    'cd p* && sh run.sh',
    'x; pushd [a]pp; sh run.sh',
    'env -C ap? sh run.sh',
    'tar --directory=/s*v -xf x',
    'bash -O extglob -c "sh ./@(deploy|x).sh"',
    'shopt -s globstar; sh **/run.sh',
    'CDPATH=/srv cd app && sh run.sh',
  ])('are not known: %s', (command) => {
    for (const given of [command, ['sh', '-c', command]])
      expect(() => words(given)).toThrow(expect.objectContaining({ code: 'unsupported' }))
  })

  test('may have patterns elsewhere', () => {
    expect(words('cd /srv && ls *.sh; grep -C 3 x *')).toContain('*.sh')
  })
})
